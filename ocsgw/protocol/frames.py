"""Frames: a byte stream cut into payloads by a length of four bytes (protocol.md section 4)."""

import struct

_LENGTH = struct.Struct(">I")
HEADER_SIZE = _LENGTH.size


class FrameError(Exception):
    """The stream breaks the rules of frames; the connection has to end (P66)."""


def frame(payload: bytes) -> bytes:
    """Return `payload` as a frame (P60)."""
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Cuts a stream, fed in pieces of any size, into payloads.

    `limit` is the largest payload in bytes; a length is judged before anything is reserved for it (P64).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rest = bytearray()

    @property
    def incomplete(self) -> bool:
        """Whether the beginning of a frame waits for its end (P66)."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that `data` completes, in order. Raises `FrameError`."""
        if self._rest:
            self._rest += data
            if len(self._rest) < HEADER_SIZE:
                return []
            if len(self._rest) < HEADER_SIZE + self._length(self._rest, 0):
                return []
            data = bytes(self._rest)
            self._rest.clear()
        payloads = []
        at, end = 0, len(data)
        while end - at >= HEADER_SIZE:
            stop = at + HEADER_SIZE + self._length(data, at)
            if stop > end:
                break
            payloads.append(data[at + HEADER_SIZE : stop])
            at = stop
        if at < end:
            self._rest += data[at:]
        return payloads

    def _length(self, buffer: bytes | bytearray, at: int) -> int:
        length: int = _LENGTH.unpack_from(buffer, at)[0]
        if not 0 < length <= self.limit:
            raise FrameError(f"a frame of {length} bytes is not between 1 and {self.limit}")
        return length
