"""Request bodies, by length and in the chunked transfer coding (RFC 9112 sections 6 and 7): bytes in, content out."""

import re

from ocsgw.proxy.http.grammar import FramingError

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]+)(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?").fullmatch
_TRAILERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*").fullmatch
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n").search


class SizedBody:
    """Collects one body of `length` bytes, or counts it only if `keep` is false."""

    def __init__(self, length: int, *, keep: bool = True) -> None:
        self._keep = keep
        self._left = length
        self._content: bytes | bytearray = b""

    @property
    def content(self) -> bytes:
        """The content collected so far."""
        return bytes(self._content)

    @property
    def held(self) -> int:
        """How many bytes are kept."""
        return len(self._content)

    def feed(self, data: bytes, at: int) -> tuple[bool, int]:
        """Take what stands in `data` from `at` on; return whether the body is complete, and where it ends."""
        piece = data[at : at + self._left]
        self._left -= len(piece)
        if self._keep:
            # Most bodies come in one piece. In many small ones each would cost a multiple of its length.
            if not self._content:
                self._content = piece
            elif isinstance(self._content, bytearray):
                self._content += piece
            else:
                self._content = bytearray(self._content) + piece
        return self._left == 0, at + len(piece)


class ChunkedBody:
    """Collects one chunked body, or counts it only if `keep` is false.

    `max_body` is the largest content, `max_line` the largest size line with its extensions (H24), `max_trailers` what
    is left of the header block for trailers (H22); all in bytes. Trailers are dropped.
    """

    def __init__(
        self, max_body: int, max_line: int, max_trailers: int, max_trailer_fields: int, *, keep: bool = True
    ) -> None:
        self._keep = keep
        self._max_body = max_body
        self._max_line = max_line
        self._max_trailers = max_trailers
        self._max_trailer_fields = max_trailer_fields
        self._content = bytearray()
        self._size = 0
        # Bytes of the chunk that have still to come, its line end included.
        self._left = 0
        self._in_trailers = False
        # How much of the trailers has been looked at, from where they begin.
        self._scanned = 0

    @property
    def content(self) -> bytes:
        """The content collected so far."""
        return bytes(self._content)

    @property
    def held(self) -> int:
        """How many bytes are kept."""
        return len(self._content)

    def feed(self, data: bytes, at: int) -> tuple[bool, int]:
        """Take what stands in `data` from `at` on; return whether the body is complete, and how far it was taken.

        What was not taken of an incomplete body has to be fed again, with more behind it. Raises `FramingError`.
        """
        while not self._in_trailers:
            if self._left > 2:
                piece = data[at : at + self._left - 2]
                if self._keep:
                    self._content += piece
                self._left -= len(piece)
                at += len(piece)
                if self._left > 2:
                    return False, at
            if self._left:
                end = data[at : at + 2]
                if end != b"\r\n"[: len(end)]:
                    raise FramingError("bad_request")
                if len(end) < 2:
                    return False, at
                at += 2
                self._left = 0
            size = self._size_line(data, at)
            if size is None:
                return False, at
            at, length = size
            if length == 0:
                self._in_trailers = True
            else:
                self._size += length
                if self._size > self._max_body:
                    raise FramingError("body_too_large")
                self._left = length + 2
        return self._trailers(data, at)

    def _size_line(self, data: bytes, at: int) -> tuple[int, int] | None:
        end = data.find(b"\n", at, at + self._max_line + 2)
        if end < 0:
            if len(data) - at >= self._max_line + 2:
                raise FramingError("bad_request")
            return None
        match = _SIZE_LINE(data[at : end - 1]) if data[end - 1 : end] == b"\r" and end > at else None
        if match is None:
            raise FramingError("bad_request")
        return end + 1, int(match.group(1), 16)

    def _trailers(self, data: bytes, at: int) -> tuple[bool, int]:
        if data.startswith(b"\r\n", at):
            return True, at + 2
        end = data.find(b"\r\n\r\n", at + max(0, self._scanned - 3))
        complete = 0 <= end - at <= self._max_trailers - 2
        longest = at + self._max_trailers + 1
        fault = _BARE_LINE_FEED(data, at + max(0, self._scanned - 1), longest + 1)
        if fault is not None and not (complete and fault.start() > end):
            raise FramingError("bad_request")
        if complete:
            return self._check_trailers(data[at : end + 2]), end + 4
        if len(data) > longest:
            raise FramingError("header_too_large")
        self._scanned = len(data) - at
        return False, at

    def _check_trailers(self, block: bytes) -> bool:
        if not _TRAILERS(block):
            raise FramingError("bad_request")
        if block.count(b"\n") > self._max_trailer_fields:
            raise FramingError("header_too_large")
        return True
