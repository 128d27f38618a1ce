"""The command line of `ocsctl` (configuration.md section 15)."""

import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ctl.__main__ import main
from ocsgw.version import VERSION

EXAMPLE = Path(__file__).parents[2] / "etc" / "ocsgw.toml"


class CommandLineTests(SynchronousTestCase):
    """What `ocsctl` takes and how it ends."""

    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit status, output and messages of a command."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(arguments)
            except SystemExit as end:
                status = int(end.code or 0)
        return status, out.getvalue(), err.getvalue()

    def test_version(self) -> None:
        """`--version` prints our version."""
        self.assertEqual(self.run_main("--version"), (0, f"ocsctl {VERSION}\n", ""))

    def test_wrong_command_line(self) -> None:
        """A wrong command line ends with 64 and shows what is right (section 15)."""
        status, _, said = self.run_main("no-such-command")
        self.assertEqual(status, 64)
        self.assertIn("usage: ocsctl", said)
        self.assertIn("campaign", said)

    def test_wrong_numbers(self) -> None:
        """What is wanted is said in words, and the command line ends with 64."""
        for arguments, wanted in (
            (["log", "--lines", "-1"], "--lines: '-1' is not a whole number, 1 or more"),
            (["audit", "show", "--lines", "x"], "--lines: 'x' is not a whole number, 1 or more"),
            (["top", "--count", "0"], "--count: '0' is not a whole number, 1 or more"),
            (["top", "--interval", "nan"], "--interval: 'nan' is not a number of seconds from 0.1 to 3600"),
            (["--timeout", "0", "status"], "--timeout: '0' is not a number of seconds above 0, 86400 at most"),
            (["history", "--handle", str(1 << 62)], "is not a whole number from 1 to 4611686018427387903"),
        ):
            status, _, said = self.run_main(*arguments)
            self.assertEqual(status, 64, arguments)
            self.assertIn(wanted, said)

    def test_members_given_once(self) -> None:
        """A member of a request has a name, and one value: of two only one would be sent."""
        for words, wanted in (
            (["GSW_PHONE=1", "GSW_PHONE=2"], "GSW_PHONE is given more than once"),
            (["lists/A", "lists/B"], "GSW_CALLING_LIST is given more than once"),
            (["GSW_PHONE=1", "--data", '{"GSW_PHONE":"2"}'], "GSW_PHONE is given more than once"),
            (["--data", '{"GSW_PHONE":"1","GSW_PHONE":"2"}'], "GSW_PHONE is given more than once"),
            (["=5"], "a member without a name is given, with the value 5"),
            (["--data", '{"":5}'], "a member without a name is given, with the value 5"),
        ):
            status, _, said = self.run_main("--config", str(EXAMPLE), "request", "AddRecord", *words)
            self.assertEqual((status, wanted in said), (64, True), said)

    def test_wrong_configuration(self) -> None:
        """A configuration that cannot be used ends with 78 and names its file (section 15)."""
        status, _, said = self.run_main("--config", "no-such-file.toml", "status")
        self.assertEqual(status, 78)
        self.assertIn("no-such-file.toml", said)

    def test_no_server(self) -> None:
        """Without a running server a command for it ends with 69 and says what to look at (section 15)."""
        status, _, said = self.run_main("--config", str(EXAMPLE), "status")
        self.assertEqual(status, 69)
        self.assertIn("is the server running", said)
