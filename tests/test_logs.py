"""The log: forms, levels, and lines that nobody can forge."""

import ast
import json
import os
import re
import runpy
import select
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.logs import LEVELS, MESSAGES, Level, LogFile, emit, mask_contact, one_line, say

ROOT = Path(__file__).resolve().parents[1]
# A library for programs of others, which have logs of their own.
NOT_OURS = {"client"}
EXAMPLES = int(os.environ.get("OCSGW_LOG_EXAMPLES", "100"))


class LogTests(SynchronousTestCase):
    """One log."""

    def make(
        self, form: str = "text", level: Level = "debug", target: str = "stdout", *, journal: bool = False
    ) -> LogFile:
        self.out = Path(self.mktemp())
        descriptor = os.open(self.out, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        self.file = LogFile(target, form, level, "OCS", stdout=descriptor, journal=journal)
        self.log = Logger("test", observer=LogPublisher(self.file))
        return self.file

    def lines(self) -> list[str]:
        return self.out.read_text(encoding="utf-8").split("\n")[:-1]

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

    def test_documented(self) -> None:
        """K60: docs/operations.md has all messages, ocsgw(8) all warnings and errors; `make messages` mends them."""
        generator = runpy.run_path(str(ROOT / "docs" / "messages.py"))
        for place, write in (("PAGE", "with_table"), ("MANUAL", "with_list")):
            text = generator[place].read_text(encoding="utf-8")
            self.assertEqual(generator[write](text), text)

    def test_troubleshooting(self) -> None:
        """docs/troubleshooting.md says what to do about every warning and error, once, and about nothing else."""
        page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
        told = [int(each) for row in rows for each in row.split(",")]
        expected = {number for number, (level, _) in MESSAGES.items() if level in {"warning", "error"}}
        self.assertEqual(sorted(told), sorted(expected))

    def test_every_message_has_a_number(self) -> None:
        """Whatever is more than a line for debugging goes through the table of messages."""
        unnumbered = [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for path in sorted((ROOT / "ocsgw").rglob("*.py"))
            if path.relative_to(ROOT / "ocsgw").parts[0] not in NOT_OURS
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"info", "warn", "error", "failure", "critical"}
            and "log" in ast.unparse(node.func.value).lower()
        ]
        self.assertEqual(unnumbered, [])

    def test_order(self) -> None:
        """The table is in the order of its numbers."""
        self.assertEqual(list(MESSAGES), sorted(MESSAGES))

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
        """A log that cannot be written stops nothing; what was dropped is counted and told when there is room again."""
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        file = LogFile("stdout", "text", "info", "OCS", stdout=full)
        for _ in range(200):
            file.write(0, "error", 1, "x" * 8000)
        self.assertEqual(file.dropped, 200 - (1 << 20) // 8041)
        os.dup2(os.open(os.devnull, os.O_WRONLY), full)
        file.flush()
        self.assertEqual(file.dropped, 0)

    def test_reader_that_takes_nothing(self) -> None:
        """A stuck pipe holds nothing up; later it gets what was kept, whole lines, and how many are missing."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        file = LogFile("stdout", "text", "info", "OCS", stdout=writer)
        for count in range(30_000):
            file.write(0, "info", 1, f"line {count} of many that are long enough to fill what there is")
        os.set_blocking(reader, False)
        taken = bytearray()
        while True:
            try:
                taken += os.read(reader, 1 << 16)
            except BlockingIOError:
                file.flush()
                if not select.select([reader], [], [], 0)[0]:
                    break
        *lines, told = taken.decode().splitlines()
        for count, line in enumerate(lines):
            self.assertIn(f" line {count} of many", line)
        self.assertIn(f"93037 {30_000 - len(lines)} log messages were dropped: its reader takes nothing", told)

    def test_journal(self) -> None:
        """Each line for the journal begins with its priority, that of several lines too; a file has none."""
        self.make(journal=True).write(0, "error", 1, "x")
        self.file.write_pairs(0, "debug", "HTTPProxyClient::mesage received", [("'A'", "1")])
        self.assertEqual([line[:4] for line in self.lines()], ["<3>1", "<7>1", "<7>\t"])
        target = Path(self.mktemp())
        self.make(target=str(target), journal=True).write(0, "error", 1, "x")
        self.assertTrue(target.read_text(encoding="utf-8").startswith("1970"))

    def test_pairs(self) -> None:
        """K62: a pair has a line of its own, without a time, beginning with a tab; JSON has one object for all."""
        pairs = [("'A'", "[int] = 1"), ("'B\n'", '[str] = "x\ty"')]
        for form in ("text", "classic"):
            self.make(form).write_pairs(0, "debug", "HTTPProxyClient::mesage received", pairs)
            first, *rest = self.lines()[-3:]
            self.assertTrue(first.endswith("00000 HTTPProxyClient::mesage received"))
            self.assertEqual(rest, ["\t'A'\t[int] = 1", "\t'B\\n'\t[str] = \"x\\ty\""])
        self.make("json").write_pairs(0, "debug", "HTTPProxyClient::mesage received", pairs)
        (line,) = self.lines()
        self.assertEqual(json.loads(line)["text"].count("\n\t"), 2)
        for level in LEVELS:
            self.make(level=level).write_pairs(0, "debug", "HTTPProxyClient::mesage received", pairs)
            self.assertEqual(len(self.lines()), 3)

    @given(st.lists(st.text(), max_size=4), st.sampled_from(["text", "json", "classic"]))
    @settings(max_examples=EXAMPLES, deadline=None)
    def test_text_of_clients(self, texts: list[str], form: str) -> None:
        """P123: whatever a client sends, a message is one line with its usual beginning, all printable."""
        self.make(form)
        before = len(self.lines())
        for text in texts:
            self.log.info("{text}", text=text)
            self.file.write(0, "warning", 1, text)
            self.file.write_pairs(0, "debug", text, [(text, text)])
        lines = self.lines()[before:]
        self.assertEqual(len(lines), len(texts) * (3 if form == "json" else 4))
        beginning = re.compile(
            r"\{\"time\": |\t|\d\d\d\d-\d\d-\d\dT\S+Z [a-z]+ +\d{5} |\d\d:\d\d:\d\d\.\d{3} [A-Z][a-z]+ \d{5} "
        )
        for line in lines:
            self.assertRegex(line, beginning)
            self.assertTrue(line.replace("\t", "").isprintable(), line)

    def test_twisted_noise(self) -> None:
        """What Twisted tells about its own ports is of level debug."""
        file = self.make(level="info")
        for name in ("log_legacy", "twisted.internet.base.ReactorBase"):
            file({"log_namespace": name, "log_format": "Main loop terminated.", "log_time": 0.0})
        self.assertEqual(self.lines(), [])

    def test_mask(self) -> None:
        """R54: of a contact only the last two characters are shown."""
        self.assertEqual([mask_contact(text) for text in ("6505550100", "12", "")], ["********00", "**", ""])
