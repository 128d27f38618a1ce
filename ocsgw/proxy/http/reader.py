"""The requests in a stream of bytes (RFC 9112, http.md sections 1 and 2). It knows no connection: bytes in, events out.

    reader.receive(data)
    while (event := reader.next()) is not NEED_DATA:
        if isinstance(event, RequestHead):
            reader.read_body()  # or reader.skip_body(most)
        else:
            ...  # a RequestBody: the request is complete

What cannot be a request raises `FramingError`; nothing may be read after it (H11).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Protocol

from ocsgw.protocol.messages import HttpLimits
from ocsgw.proxy.http.chunked import ChunkedBody, SizedBody
from ocsgw.proxy.http.grammar import (
    NO_HEAD,
    NO_LINE,
    FramingError,
    Head,
    RequestLine,
    accepts_json_of_block,
    check_fields_beginning,
    check_line_beginning,
    parse_fields,
    parse_request_line,
)
from ocsgw.proxy.policy.prepared import Prepared

_MAX_EMPTY_LINES = 4
_MAX_CHUNK_LINE = 256
# Longer heads are read anew each time.
LONGEST_KNOWN = 1024


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Request line and header fields of a request are there; its body comes next.

    `prepared` is what a head that comes again is good for, None for nothing.
    """

    line: RequestLine
    head: Head
    prepared: Prepared | None = None


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A request is complete; `content` is empty for a body that was skipped, or is none."""

    content: bytes


class NeedData(Enum):
    """The type of `NEED_DATA`."""

    NEED_DATA = 1


NEED_DATA: Final[Literal[NeedData.NEED_DATA]] = NeedData.NEED_DATA
ReaderEvent = RequestHead | RequestBody | Literal[NeedData.NEED_DATA]


# Finds a head that has been read before by its bytes, up to and with the empty line.
KnownHeads = Callable[[bytes], RequestHead | None]


class ReadingRules(Protocol):
    """By what a reader judges; looked at anew for each request."""

    limits: HttpLimits

    def check_line(self, line: RequestLine) -> None:
        """Raise `FramingError` for a request line whose target ends the connection (H56, H58, H354)."""


class _Part(Enum):
    """What has to come next."""

    LINE = 1
    FIELDS = 2
    # The owner has to say what becomes of the body.
    DECISION = 3
    BODY = 4


class RequestReader:
    """Cuts what `receive` gets into requests, one event at a time.

    `line` and `head` are those of the request that is being read, as far as they are known, for the answer to one that
    cannot be read. `waits` is true while `next` cannot go on without more bytes, `in_body` while the head of a request
    is complete and its body is not; `ended` is for the owner to set when no more will come. `known` finds heads that
    have been read before, by their bytes.
    """

    __slots__ = (
        "_at",
        "_block_size",
        "_body",
        "_buffer",
        "_empty_lines",
        "_known",
        "_part",
        "_rules",
        "_scanned",
        "ended",
        "head",
        "in_body",
        "line",
        "waits",
    )

    def __init__(self, rules: ReadingRules, known: KnownHeads | None = None) -> None:
        self._rules = rules
        self._known = known
        # What has been received; everything before `_at` is done with. Nothing is copied for each request.
        self._buffer = b""
        self._at = 0
        # How much of an incomplete part has been looked at, from `_at` on.
        self._scanned = 0
        self._empty_lines = 0
        self._block_size = 0
        self._part = _Part.LINE
        self._body: SizedBody | ChunkedBody | None = None
        self.line = NO_LINE
        self.head = NO_HEAD
        self.waits = True
        self.in_body = False
        self.ended = False

    def receive(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._buffer = self._buffer[self._at :] + data if self._at < len(self._buffer) else data
        self._at = 0
        self.waits = False

    def next(self) -> ReaderEvent:
        """Return the next event, or `NEED_DATA`. Raises `FramingError`."""
        if not self._buffer and self._part is _Part.LINE:
            self.line, self.head = NO_LINE, NO_HEAD
            self.waits = True
            return NEED_DATA
        event = self._next()
        self.waits = event is NEED_DATA
        if self._at == len(self._buffer):
            # A connection that waits keeps nothing of what it has sent before.
            self._buffer, self._at = b"", 0
        return event

    @property
    def unread(self) -> int:
        """How many bytes have come and not been taken yet."""
        return len(self._buffer) - self._at

    @property
    def in_head(self) -> bool:
        """Whether a request has begun and its head is not complete."""
        return self._part is _Part.FIELDS or (self._part is _Part.LINE and self._at < len(self._buffer))

    @property
    def held(self) -> int:
        """How many bytes of an incomplete body are kept."""
        return self._body.held if self._body is not None else 0

    def read_body(self) -> None:
        """Collect the body of the request whose head was the last event. Raises `FramingError` for too large a one."""
        limits, head = self._rules.limits, self.head
        self._part = _Part.BODY
        self.in_body = True
        if head.chunked:
            trailers = max(0, limits.header_block - self._block_size)
            self._body = ChunkedBody(limits.body, _MAX_CHUNK_LINE, trailers, limits.headers)
        elif head.content_length:
            if head.content_length > limits.body:
                raise FramingError("body_too_large")
            self._body = SizedBody(head.content_length)

    def skip_body(self, most: int) -> None:
        """Count the body of that request and drop it; one of more than `most` bytes cannot be read to its end."""
        head = self.head
        self._part = _Part.BODY
        self.in_body = True
        if head.chunked:
            self._body = ChunkedBody(most, _MAX_CHUNK_LINE, most, self._rules.limits.headers, keep=False)
        elif head.content_length:
            self._body = SizedBody(head.content_length, keep=False)

    def clear(self) -> int:
        """Forget everything; return how many bytes nobody has read."""
        unread = self.unread
        self._buffer, self._at = b"", 0
        self._body = None
        self._part = _Part.LINE
        self.in_body = False
        return unread

    def _next(self) -> ReaderEvent:
        if self._part is _Part.BODY:
            return self._read_body()
        if self._known is not None and self._part is _Part.LINE and not self._scanned and not self._empty_lines:
            request = self._known_head(self._known)
            if request is not None:
                return request
        if self._part is _Part.LINE and not self._read_line():
            return NEED_DATA
        if not self._read_fields():
            return NEED_DATA
        return RequestHead(self.line, self.head)

    def _known_head(self, known: KnownHeads) -> RequestHead | None:
        """Take a whole head that has been read before; what the rules say of it is the same (see `whole.py`)."""
        end = self._buffer.find(b"\r\n\r\n", self._at, self._at + LONGEST_KNOWN) + 4
        request = known(self._buffer[self._at : end]) if end != 3 else None
        if request is not None:
            self.line, self.head = request.line, request.head
            self._at = end
            self._part = _Part.DECISION
        return request

    def _read_line(self) -> bool:
        """Judge the request line as soon as its end is there, and by nothing that follows (H354)."""
        self.line, self.head = NO_LINE, NO_HEAD
        buffer, start, longest = self._buffer, self._at, self._rules.limits.request_line
        while buffer.startswith(b"\r\n", start):
            start += 2
            self._empty_lines += 1
            if self._empty_lines > _MAX_EMPTY_LINES:
                raise FramingError("bad_request")
        if start != self._at:
            self._at, self._scanned = start, 0
        end = buffer.find(b"\r\n", start + max(0, self._scanned - 1), start + longest + 2)
        if end < 0:
            check_line_beginning(buffer[start : start + longest + 2], self._scanned, longest)
            self._scanned = len(buffer) - start
            return False
        self.line = parse_request_line(buffer[start:end])
        self._rules.check_line(self.line)
        self._at, self._scanned, self._empty_lines = end + 2, 0, 0
        self._part = _Part.FIELDS
        return True

    def _read_fields(self) -> bool:
        buffer, start, limits = self._buffer, self._at, self._rules.limits
        if buffer.startswith(b"\r\n", start):
            end = start
        else:
            # The block with the line end of its last line; the empty line follows.
            found = buffer.find(b"\r\n\r\n", start + max(0, self._scanned - 3), start + limits.header_block + 2)
            if found < 0:
                check_fields_beginning(buffer[start:], self._scanned, limits.header_block)
                self._scanned = len(buffer) - start
                return False
            end = found + 2
        block = buffer[start:end]
        try:
            self.head = parse_fields(block, self.line.minor, limits.headers)
        except FramingError:
            # As it would be refused if the bytes came one by one.
            check_fields_beginning(block, 0, limits.header_block)
            self.head = Head(minor=1, keep_alive=False, accepts_json=accepts_json_of_block(block))
            raise
        self._block_size = end - start
        self._at, self._scanned = end + 2, 0
        self._part = _Part.DECISION
        return True

    def _read_body(self) -> ReaderEvent:
        body = self._body
        if body is None:
            self._part = _Part.LINE
            self.in_body = False
            return RequestBody(b"")
        complete, self._at = body.feed(self._buffer, self._at)
        if not complete:
            return NEED_DATA
        self._body = None
        self._part = _Part.LINE
        self.in_body = False
        return RequestBody(body.content)
