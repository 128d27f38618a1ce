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
