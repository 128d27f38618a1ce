"""The file of the access log: it holds nothing up, and what it loses is counted."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.access_log import AccessLog
from ocsgw.protocol.messages import AccessLines
from tests.support.logs import LogCapture

LINES = AccessLines(text="a\nb\n", count=2)


def configured(path: Path | None) -> Any:
    """Return as much of a configuration as an access log needs."""
    return SimpleNamespace(log=SimpleNamespace(access=str(path) if path is not None else None))


class AccessLogTests(SynchronousTestCase):
    """One file."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "access.log"
        self.log = LogCapture(self)

    def make(self, path: Path | None) -> AccessLog:
        """Return the log of a configuration."""
        log = AccessLog(configured(path))
        self.addCleanup(log.close)
        return log

    def test_write_and_rotate(self) -> None:
        """Lines are appended; after a rotation they go to a new file. Others cannot read it."""
        self.path.write_text("before\n", encoding="utf-8")
        log = self.make(self.path)
        log.write("default", LINES)
        moved = self.path.rename(self.folder / "access.log.1")
        log.write("default", LINES)
        log.reopen()
        log.write("default", LINES)
        self.assertEqual(moved.read_text(encoding="utf-8"), "before\na\nb\na\nb\n")
        self.assertEqual(self.path.read_text(encoding="utf-8"), "a\nb\n")
        self.assertEqual(self.path.stat().st_mode & 0o007, 0)

    def test_reload(self) -> None:
        """A reload switches it on, to another file, and off; lines that are still on their way are nobody's then."""
        log = self.make(None)
        log.write("default", LINES)
        log.reopen()
        log.flush()
        log.use(configured(self.path))
        log.write("default", LINES)
        log.use(configured(self.path))
        log.use(configured(self.folder / "other"))
        log.write("default", LINES)
        log.use(configured(None))
        log.write("default", LINES)
        log.flush()
        for path in (self.path, self.folder / "other"):
            self.assertEqual(path.read_text(encoding="utf-8"), "a\nb\n")
        self.assertEqual(self.log.numbers(), [])

    def test_file_that_cannot_be_opened(self) -> None:
        """It is reported once and tried again; what was lost meanwhile is counted when it works."""
        path = self.folder / "later" / "access.log"
        log = self.make(path)
        for _ in range(3):
            log.write("default", LINES)
            log.flush()
        self.assertEqual(self.log.numbers(), [93171])
        path.parent.mkdir()
        log.flush()
        log.write("default", LINES)
        self.assertEqual(path.read_text(encoding="utf-8"), "a\nb\n")
        self.assertEqual(self.log.numbers(), [93171, 93170])
        self.assertIn("6 lines of the access log were lost", self.log.text(93170))

    def test_rotation_that_fails(self) -> None:
        """If the new file cannot be opened the old one is still in use."""
        log = self.make(self.path)
        moved = self.folder.rename(f"{self.folder}.moved")
        log.reopen()
        log.write("default", LINES)
        self.assertEqual((moved / "access.log").read_text(encoding="utf-8"), "a\nb\n")
        self.assertEqual(self.log.numbers(), [93171])

    def test_reader_that_takes_nothing(self) -> None:
        """A named pipe that is not read holds nothing up; what is lost is counted in lines."""
        os.mkfifo(self.path)
        log = self.make(self.path)
        large = AccessLines(text="x" * (700 << 10) + "\n", count=5)
        for _ in range(3):
            log.write("default", large)
        log.flush()
        self.assertEqual(self.log.numbers(), [])
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        while not self.log.numbers():
            os.read(reader, 1 << 20)
            log.flush()
        self.assertIn("10 lines of the access log were lost: its reader takes nothing", self.log.text(93170))

    def test_lost_by_a_proxy(self) -> None:
        """What a proxy had to drop is reported with its listener."""
        self.make(self.path).write("web", AccessLines(text="a\n", count=1, dropped=7))
        self.assertIn(
            "7 lines of the access log were lost: OCS did not take them from listener web", self.log.text(93170)
        )
