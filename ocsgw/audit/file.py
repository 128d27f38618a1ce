"""The audit log: a file of JSON lines, each with the SHA-256 of the line before it.

Whoever changes, removes or inserts a line breaks the chain from there on. Only what is cut off at the end leaves no
trace in the file itself; the number and hash of the last line, kept elsewhere, reveal that too.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_MODE: Final = 0o600
_GENESIS: Final = "0" * 64
# How much of the end of a file is looked at for its last good line; a line is far shorter.
_TAIL: Final = 1 << 20


class AuditError(Exception):
    """The audit log cannot be opened or written; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """A place in the chain: the number of a line, and its hash, which the next line carries."""

    number: int = 0
    mark: str = _GENESIS


class AuditFile:
    """Appends to one audit log; `path` is absolute. Whoever uses it calls `open` first, from one thread at a time.

    Every file begins with a line of its own, written with the first ones that follow, so that the chain goes on from
    file to file after a rotation.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._last = ChainPosition()
        # When a file was opened that has no line yet; its first line comes with the next ones.
        self._begun_at: str | None = None

    def open(self, time: str) -> int:
        """Open the file, continue its chain, and return how many torn bytes at its end had to be cut off.

        `time` is that of the line which says so. Raises `AuditError`. A file that is open already stays so.
        """
        if self._descriptor is not None:
            return 0
        descriptor = self._take()
        try:
            size = os.fstat(descriptor).st_size
            found, end = _last_link(descriptor, size)
            if size and found is None:
                raise AuditError(f"{self.path} is not an audit log; move it away, or name another in [audit] file")
            self._descriptor = descriptor
            if found is None:
                self._begun_at = time
                return 0
            self._last = found
            if end < size:
                os.ftruncate(descriptor, end)
                self.append([_encode({"time": time, "action": "repair", "bytes": size - end})])
        except BaseException:
            self._descriptor = None
            os.close(descriptor)
            raise
        return size - end

    def reopen(self, time: str) -> None:
        """Open the file again by its name, after a rotation; the chain goes on. Raises `AuditError`; the old stays."""
        if self._descriptor is None or self._is_in_place():
            return
        descriptor, old = self._take(), self._descriptor
        if os.fstat(descriptor).st_size:
            os.close(descriptor)
            raise AuditError(f"{self.path} is a file of its own already; move it away")
        self._descriptor = descriptor
        os.close(old)
        self._begun_at = time
        self.append([])

    def append(self, bodies: Sequence[bytes]) -> None:
        """Append lines, all or none, with one write; each body is a JSON object. Raises `AuditError`."""
        if self._descriptor is None:
            raise AuditError(f"{self.path} is not open")
        number, mark = self._last.number, self._last.mark
        if self._begun_at is not None:
            bodies = [_encode({"time": self._begun_at, "action": "begin"}), *bodies]
        lines = []
        for body in bodies:
            number += 1
            line = b'{"n":%d,%b,"previous":"%b"}' % (number, body[1:-1], mark.encode("ascii"))
            mark = hashlib.sha256(line).hexdigest()
            lines.append(line)
        data = b"\n".join(lines) + b"\n"
        written = 0
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise AuditError(f"cannot write {self.path}: {error.strerror}; make room for it") from error
        if written < len(data):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise AuditError(f"cannot write {self.path}: the disk is full; make room for it")
        self._last = ChainPosition(number, mark)
        self._begun_at = None

    def go_on_behind(self, position: ChainPosition) -> None:
        """Number the next line behind `position`, which the file lacks: a verification finds that lines are missing."""
        self._last = position

    def close(self) -> None:
        """Bring what was written to the disk and close the file."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
            self._begun_at = None

    @property
    def is_new(self) -> bool:
        """Whether the file has no line yet."""
        return self._begun_at is not None

    @property
    def last(self) -> ChainPosition:
        """The last line."""
        return self._last

    def _take(self) -> int:
        """Open the file for this process alone."""
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raise AuditError(
                f"cannot open {self.path}: {error.strerror}; let the server write there, or name another file in "
                "[audit] file"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise AuditError(f"{self.path} belongs to another running server; give each its own") from error
        return descriptor

    def _is_in_place(self) -> bool:
        try:
            named = os.stat(self.path)
        except OSError:
            return False
        ours = os.fstat(self._descriptor) if self._descriptor is not None else None
        return ours is not None and (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)


@dataclass(frozen=True, slots=True)
class BadLine:
    """The first line that is not as it was written."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What a verification has found: the first and the last good line, how many, and what is wrong, if anything is."""

    first: ChainPosition | None
    last: ChainPosition
    lines: int
    bad: BadLine | None


def verify(files: Iterable[tuple[str, Iterable[bytes]]], stored: ChainPosition | None = None) -> ChainVerdict:
    """Verify the chain through files of a log, as (name, lines), the oldest first.

    A log may begin with any number: earlier files may have been removed. `stored` is the last line that the store
    knows: it has to be there; what comes behind it belongs to changes that were not committed, or are being committed.
    """
    first: ChainPosition | None = None
    last = ChainPosition()
    count = at = 0
    path = ""
    for path, file in files:
        at = 0
        for at, raw in enumerate(file, 1):
            reason = "is cut off" if not raw.endswith(b"\n") else _judge(raw[:-1], last, is_first=first is None)
            if reason is not None:
                return ChainVerdict(first, last, count, BadLine(path, at, reason))
            last = _link_of(raw[:-1]) or last
            if stored is not None and last.number == stored.number and last.mark != stored.mark:
                return ChainVerdict(first, last, count, BadLine(path, at, "is not the line that the store knows"))
            first = first or last
            count += 1
        if not at:
            return ChainVerdict(first, last, count, BadLine(path, 1, "the file is empty"))
    if stored is not None and last.number < stored.number:
        missing = f"ends with number {last.number}, but the store knows {stored.number}: lines at the end are missing"
        return ChainVerdict(first, last, count, BadLine(path, at, missing))
    return ChainVerdict(first, last, count, None)


def _judge(line: bytes, last: ChainPosition, *, is_first: bool) -> str | None:
    """Return what is wrong with a line after `last`, None if nothing is."""
    members = _members(line)
    if members is None:
        return "is not a line of an audit log"
    number, previous = members["n"], members["previous"]
    if is_first and number > 1:
        return None
    if number != last.number + 1:
        return f"has number {number} where {last.number + 1} is due: lines are missing, doubled or in another order"
    if previous != last.mark:
        return "does not carry the hash of the line before it, which was changed"
    return None


def _link_of(line: bytes) -> ChainPosition | None:
    members = _members(line)
    return ChainPosition(members["n"], hashlib.sha256(line).hexdigest()) if members is not None else None


def _members(line: bytes) -> dict[str, Any] | None:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict) or type(members.get("n")) is not int or type(members.get("previous")) is not str:
        return None
    return members


def _last_link(descriptor: int, size: int) -> tuple[ChainPosition | None, int]:
    """Return the last good line of a file, None without one, and where it ends."""
    start = max(0, size - _TAIL)
    tail = os.pread(descriptor, size - start, start)
    for begin, end in _lines_from_end(tail):
        link = _link_of(tail[begin:end])
        if link is not None:
            return link, start + end + 1
    return None, 0


def _lines_from_end(tail: bytes) -> Iterator[tuple[int, int]]:
    end = tail.rfind(b"\n")
    while end >= 0:
        begin = tail.rfind(b"\n", 0, end) + 1
        yield begin, end
        end = begin - 1


def _encode(members: dict[str, object]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode("utf-8")


def last_lines(path: str, size: int = 1 << 17) -> list[str]:
    """Return the last lines of a log, the oldest first, as far as they are within its last `size` bytes.

    A log that cannot be read, or is not there yet, has none.
    """
    try:
        with open(path, "rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            text = file.read(size).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.splitlines()
    return lines[1:] if length > size else lines


def row_of(line: str) -> tuple[str, str, str, str, str, str]:
    """Return a line as people read it: number, time in UTC, principal, address, action, everything else in words."""
    try:
        members = json.loads(line)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        return ("", "", "", "", "", line)
    number, time, *who = [str(members.pop(name, "")) for name in ("n", "time", "principal", "address", "action")]
    members.pop("previous", None)
    rest = ", ".join(f"{name} {value}" for name, value in members.items() if value is not None)
    return (number, time.partition(".")[0].replace("T", " "), who[0], who[1], who[2], rest)
