"""The log: forms, levels, and lines that nobody can forge."""

import io
import json
import os
from pathlib import Path

from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.logs import LEVELS, MESSAGES, Level, LogFile, emit, mask_contact, one_line, say


class LogTests(SynchronousTestCase):
    """One log."""

    def make(self, form: str = "text", level: Level = "debug", target: str = "stdout") -> LogFile:
        self.out = io.StringIO()
        self.file = LogFile(target, form, level, "OCS", self.out)
        self.log = Logger("test", observer=LogPublisher(self.file))
        return self.file

    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    def test_text(self) -> None:
        """A line has time, level, number and text."""
        self.make().write(1_700_000_000.25, "warning", 93004, "gone")
        self.assertEqual(self.lines(), ["2023-11-14T22:13:20.250Z warning 93004 gone"])

    def test_json(self) -> None:
        """The JSON form is one object a line."""
        self.make("json").write(1_700_000_000.25, "info", 93001, 'said "x" é')
        self.assertEqual(
            json.loads(self.lines()[0]),
            {"time": "2023-11-14T22:13:20.250+00:00", "level": "info", "number": 93001, "text": 'said "x" é'},
        )

    def test_classic(self) -> None:
        """K61: header lines without a time, an empty line, then lines with the levels of the classic product."""
        self.make("classic").write(1_700_000_000.25, "trace", 52000, "Campaign Group X has been loaded")
        header = ["Application name: OCS", "Application type: OCServer", ""]
        self.assertEqual(self.lines()[:3], header)
        self.assertRegex(self.lines()[3], r"^\d\d:\d\d:\d\d\.250 Trc 52000 Campaign Group X has been loaded$")
        for level, short in (("error", "Std"), ("warning", "Std"), ("info", "Int"), ("debug", "Dbg")):
            self.file.write(0, level, 1, "x")  # type: ignore[arg-type]  # all are levels
            self.assertIn(f" {short} 00001 ", self.lines()[-1])

    def test_level(self) -> None:
        """Lines below the level are left out; trace is between debug and info."""
        for least in LEVELS:
            self.make(level=least)
            for level in LEVELS:
                emit(self.log, level, "{text}", text=level)
            written = [line.split()[1] for line in self.lines()]
            self.assertEqual(written, list(LEVELS[LEVELS.index(least) :]))

    def test_numbered_messages(self) -> None:
        """Section 8: a numbered message has its level and its text from the table."""
        self.make()
        say(self.log, 93001, listener="default", pid=7)
        self.assertTrue(self.lines()[0].endswith("info    93001 HTTP Proxy of listener default started, process id 7"))
        self.assertEqual(MESSAGES[93004][0], "warning")

    def test_no_forged_line(self) -> None:
        """P123: whatever text gets in, one message is one line, and no control character reaches a terminal."""
        self.make()
        for text in ("a\nb", "a\r\nb", "a\x1b[31mb", "a\u2028b", "a\x00b", "{not_a_field}"):
            self.log.info("{text}", text=text)
        self.assertEqual(len(self.lines()), 6)
        for line in self.lines():
            self.assertTrue(line.isprintable())
        self.assertIn("{not_a_field}", self.lines()[-1])

    def test_long_line(self) -> None:
        """A line is bounded."""
        self.assertLess(len(one_line("x" * 1_000_000)), 8200)

    def test_failure(self) -> None:
        """A failure is logged with its traceback, in one line."""
        self.make()
        try:
            1 // 0  # noqa: B018 - for its failure
        except ZeroDivisionError:
            self.log.failure("A thing failed", Failure())
        (line,) = self.lines()
        self.assertIn("A thing failed: Traceback", line)
        self.assertIn("ZeroDivisionError", line)

    def test_file_is_opened_again(self) -> None:
        """After a rotation the log goes on in a new file; the old one is left alone."""
        target = Path(self.mktemp())
        file = self.make("classic", target=str(target))
        file.write(0, "info", 1, "first")
        os.rename(target, f"{target}.1")
        file.reopen()
        file.write(0, "info", 2, "second")
        file.close()
        self.assertIn("first", Path(f"{target}.1").read_text(encoding="utf-8"))
        second = target.read_text(encoding="utf-8")
        self.assertTrue(second.startswith("Application name: OCS"))
        self.assertIn("second", second)
        self.assertEqual(self.lines(), [])

    def test_file_that_cannot_be_opened_again(self) -> None:
        """If the new file cannot be opened, the old one stays in use."""
        folder = Path(self.mktemp())
        folder.mkdir()
        file = self.make(target=str(folder / "log"))
        os.rename(folder, f"{folder}.moved")
        self.assertRaises(OSError, file.reopen)
        file.write(0, "info", 1, "still here")
        file.close()
        self.assertIn("still here", Path(f"{folder}.moved/log").read_text(encoding="utf-8"))

    def test_full_disk(self) -> None:
        """A log that cannot be written stops nothing."""

        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError(28, "No space left on device")

        LogFile("stdout", "text", "info", "OCS", Full()).write(0, "error", 1, "x")

    def test_twisted_noise(self) -> None:
        """What Twisted tells about its own ports is of level debug."""
        file = self.make(level="info")
        file({"log_namespace": "log_legacy", "log_format": "Site starting on 80", "log_time": 0.0})
        self.assertEqual(self.lines(), [])

    def test_mask(self) -> None:
        """R54: of a contact only the last two characters are shown."""
        self.assertEqual([mask_contact(text) for text in ("6505550100", "12", "")], ["********00", "**", ""])
