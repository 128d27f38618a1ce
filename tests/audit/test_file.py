"""The audit log: its chain, what it survives, and how it is verified."""

import hashlib
import io
import json
import os
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.audit.file import AuditError, AuditFile, ChainPosition, ChainVerdict, verify

_BODIES = [b'{"action":"a"}', b'{"action":"b"}', b'{"action":"c"}']


class _TestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(os.path.abspath(self.mktemp()), "audit.jsonl")
        self.file = self.opened()

    def opened(self) -> AuditFile:
        """Return the log, opened anew, as after a start."""
        file = AuditFile(self.path)
        file.open("T")
        self.addCleanup(file.close)
        return file

    def restart(self) -> None:
        """Close the log and open it again."""
        self.file.close()
        self.file = self.opened()

    def contents(self, path: str | None = None) -> bytes:
        """Return what is in a file."""
        with open(path or self.path, "rb") as stream:
            return stream.read()

    def lines(self, path: str | None = None) -> list[dict[str, object]]:
        """Return the lines of a file."""
        return [json.loads(line) for line in self.contents(path).splitlines()]

    def change(self, contents: bytes) -> None:
        """Let somebody else write the file."""
        with open(self.path, "wb") as stream:
            stream.write(contents)

    def verdict(self, *contents: bytes) -> ChainVerdict:
        """Return what a verification says of files, by default of the log."""
        given = contents or (self.contents(),)
        return verify([(f"f{at}", io.BytesIO(each)) for at, each in enumerate(given)])


class ChainTests(_TestCase):
    """Each line carries the SHA-256 of the line before it."""

    def test_lines(self) -> None:
        """The first line has no predecessor, every other the hash of it, and numbers rise by one."""
        self.file.append(_BODIES[:2])
        self.file.append(_BODIES[2:])
        raw = self.contents().splitlines()
        self.assertEqual([line["n"] for line in self.lines()], [1, 2, 3, 4])
        self.assertEqual([line["action"] for line in self.lines()], ["begin", "a", "b", "c"])
        marks = ["0" * 64, *(hashlib.sha256(line).hexdigest() for line in raw)]
        self.assertEqual([line["previous"] for line in self.lines()], marks[:-1])
        self.assertEqual(self.file.last.mark, marks[-1])
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_restart(self) -> None:
        """The chain goes on after a restart, also when the server had no time to close."""
        self.file.append(_BODIES)
        self.restart()
        self.file.append(_BODIES)
        verdict = self.verdict()
        self.assertIsNone(verdict.bad)
        self.assertEqual((verdict.lines, verdict.last), (7, self.file.last))

    def test_one_server(self) -> None:
        """Two servers cannot write one log; the second is reported whose fault it is."""
        self.assertIn("another running server", str(self.assertRaises(AuditError, self.opened)))

    def test_one_write(self) -> None:
        """A batch is one write."""
        with mock.patch("ocsgw.audit.file.os.write", side_effect=os.write) as write:
            self.file.append(_BODIES)
        self.assertEqual(write.call_count, 1)


class StoredTests(_TestCase):
    """What the store knows of the last line."""

    def test_end(self) -> None:
        """The line that the store knows has to be there as it was; lines behind it may be."""
        self.file.append(_BODIES)
        raw = self.contents().splitlines(keepends=True)
        marks = [hashlib.sha256(line[:-1]).hexdigest() for line in raw]
        other = raw[3].replace(b'"c"', b'"d"')
        cases = (
            ("as it was", raw, ChainPosition(4, marks[3]), None),
            ("more than was committed", raw, ChainPosition(2, marks[1]), None),
            ("nothing known", raw[:1], None, None),
            ("cut off", raw[:3], ChainPosition(4, marks[3]), "f0:3: ends with number 3, but the store knows 4"),
            ("cut off further", raw[:1], ChainPosition(4, marks[3]), "f0:1: ends with number 1"),
            ("last line changed", [*raw[:3], other], ChainPosition(4, marks[3]), "f0:4: is not the line"),
            ("earlier files are gone", raw[3:], ChainPosition(4, marks[3]), None),
        )
        for name, lines, stored, expected in cases:
            with self.subTest(name=name):
                bad = verify([("f0", io.BytesIO(b"".join(lines)))], stored).bad
                self.assertEqual(str(bad)[: len(expected)] if expected and bad else bad, expected)

    def test_going_on(self) -> None:
        """A log that has lost its end goes on behind what is missing: the gap stays visible."""
        self.file.append(_BODIES)
        known = self.file.last
        self.file.close()
        self.change(b"".join(self.contents().splitlines(keepends=True)[:2]))
        self.file = self.opened()
        self.file.go_on_behind(known)
        self.file.append(_BODIES[:1])
        bad = self.verdict().bad
        self.assertEqual(str(bad), "f0:3: has number 5 where 3 is due: lines are missing, doubled or in another order")


class CrashTests(_TestCase):
    """What a kill, a full disk or another program leaves is put right."""

    def test_torn_at_every_byte(self) -> None:
        """A last line that was not completed is cut off, told in the log, and the chain is unbroken."""
        self.file.append(_BODIES)
        whole = self.contents()
        third = whole.rindex(b"\n", 0, -1) + 1
        for end in range(third, len(whole)):
            self.file.close()
            self.change(whole[:end])
            self.file = AuditFile(self.path)
            self.assertEqual(self.file.open("T"), end - third)
            self.file.append(_BODIES[:1])
            self.assertIsNone(self.verdict().bad, end)
            repairs = [line["bytes"] for line in self.lines() if line["action"] == "repair"]
            self.assertEqual(repairs, [end - third] if end > third else [])
        self.addCleanup(self.file.close)

    def test_garbage(self) -> None:
        """What a loss of power leaves behind the last good line is cut off too."""
        self.file.append(_BODIES)
        self.file.close()
        self.change(self.contents() + bytes(100) + b"\n{}\n" + bytes(5))
        self.file = self.opened()
        self.assertIsNone(self.verdict().bad)
        self.assertEqual(self.lines()[-1]["bytes"], 109)

    def test_foreign(self) -> None:
        """A file that is not an audit log is not touched."""
        self.file.close()
        self.change(b"something else\n")
        self.assertIn("is not an audit log", str(self.assertRaises(AuditError, self.opened)))
        self.assertEqual(self.contents(), b"something else\n")

    def test_full_disk(self) -> None:
        """A write that fails leaves nothing, and the next one follows the last that succeeded."""
        self.file.append(_BODIES[:1])
        before = self.contents()
        with mock.patch("ocsgw.audit.file.os.write", side_effect=OSError(28, "No space left on device")):
            error = self.assertRaises(AuditError, self.file.append, _BODIES)
        self.assertIn("No space left", str(error))
        write = os.write
        with mock.patch("ocsgw.audit.file.os.write", side_effect=lambda to, data: write(to, data[:9])):
            self.assertRaises(AuditError, self.file.append, _BODIES)
        self.assertEqual(self.contents(), before)
        self.file.append(_BODIES)
        self.assertIsNone(self.verdict().bad)

    def test_not_writable(self) -> None:
        """A log that cannot be opened is reported with its path and a remedy."""
        error = self.assertRaises(AuditError, AuditFile("/proc/none/audit.jsonl").open, "T")
        self.assertIn("[audit] file", str(error))


class RotationTests(_TestCase):
    """The chain goes on from file to file."""

    def rotate(self, to: str) -> None:
        """Do what logrotate does."""
        os.rename(self.path, to)
        self.file.reopen("T")

    def test_rotation(self) -> None:
        """Files are verified together, in their order; a later one alone says where it begins."""
        files = [f"{self.path}.1", f"{self.path}.2", self.path]
        for file in files[:2]:
            self.file.append(_BODIES)
            self.rotate(file)
        self.restart()
        self.file.append(_BODIES)
        contents = [self.contents(file) for file in files]
        verdict = self.verdict(*contents)
        self.assertIsNone(verdict.bad)
        self.assertEqual((verdict.lines, verdict.last), (12, self.file.last))
        later = self.verdict(*contents[1:])
        self.assertIsNone(later.bad)
        self.assertEqual(later.first and later.first.number, 5)
        for wrong in ((contents[1], contents[0]), (contents[0], contents[2]), (contents[0], contents[0])):
            self.assertIsNotNone(self.verdict(*wrong).bad)

    def test_nothing_to_do(self) -> None:
        """Without a rotation the same file goes on."""
        self.file.append([])
        self.file.reopen("T")
        self.assertEqual(len(self.lines()), 1)

    def test_name_taken(self) -> None:
        """A file that another program has put there is not written; the old one stays in use."""
        os.rename(self.path, f"{self.path}.1")
        self.change(b"x\n")
        self.assertRaises(AuditError, self.file.reopen, "T")
        self.file.append(_BODIES)
        self.assertEqual(len(self.lines(f"{self.path}.1")), 4)


class VerifyTests(_TestCase):
    """Whatever is changed is found, at its line."""

    def setUp(self) -> None:
        super().setUp()
        self.file.append(_BODIES)
        self.whole = self.contents()

    def bad_line(self, contents: bytes) -> int | None:
        """Return the number of the first bad line."""
        bad = self.verdict(contents).bad
        return bad.line if bad is not None else None

    def test_good(self) -> None:
        """What was written is good."""
        self.assertIsNone(self.bad_line(self.whole))

    def test_changes(self) -> None:
        """A line that was changed, removed, inserted, doubled, moved or cut off is reported."""
        lines = self.whole.splitlines(keepends=True)
        begin, a, b, c = lines
        for changed, line in (
            ([begin, a.replace(b'"a"', b'"x"'), b, c], 3),
            ([begin, b, c], 2),
            ([a, b, c], None),
            ([begin, a, a, b, c], 3),
            ([begin, b, a, c], 2),
            ([begin, a, b'{"n":3,"previous":""}\n', b, c], 3),
            ([begin, a, b"\n", b, c], 3),
            ([begin, a, b, c[:-1]], 4),
            ([begin, a, b, c[:-5]], 4),
            ([begin, a, b'{"n":true,"previous":1}\n'], 3),
            ([], 1),
        ):
            self.assertEqual(self.bad_line(b"".join(changed)), line, changed)
        self.assertEqual(self.verdict(a + b + c).first, self.verdict(begin + a).last)

    @given(st.data())
    def test_any_byte(self, data: st.DataObject) -> None:
        """A changed byte anywhere but in the last line is reported, and nothing makes the verification fail."""
        last = self.whole.rindex(b"\n", 0, -1)
        at = data.draw(st.integers(0, last - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda each: each != self.whole[at]))
        changed = self.whole[:at] + bytes([byte]) + self.whole[at + 1 :]
        self.assertIsNotNone(self.bad_line(changed))

    @given(st.binary(max_size=300))
    def test_anything(self, contents: bytes) -> None:
        """Whatever is in a file, the verification comes to an end."""
        verdict = self.verdict(contents)
        self.assertEqual(verdict.bad is None, verdict.lines > 0 and verdict.lines == contents.count(b"\n"))
