"""Frames: a byte stream cut into payloads by a length of four bytes (protocol.md section 4)."""

import struct
from collections.abc import Iterator

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

    def end_of_frame(self, data: bytes, at: int) -> int:
        """Return where the frame that goes on or begins at `at` ends, the end of `data` if that is not known."""
        have = len(self._rest)
        head = bytes(self._rest[:HEADER_SIZE]) + data[at : at + max(HEADER_SIZE - have, 0)]
        if len(head) < HEADER_SIZE:
            return len(data)
        return min(at + HEADER_SIZE + int.from_bytes(head, "big") - have, len(data))

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the payloads that `data` completes, one by one, in order (P67). Raises `FrameError` when one is wrong.

        What has been fed counts only once the iterator has been used up.
        """
        yield from self.payloads(self.joined(data))

    def joined(self, data: bytes) -> bytes:
        """Return `data` with the beginning of a frame that waited for it, nothing while it is still incomplete.

        What is returned has to be given to `payloads`, from the beginning of a frame on. Raises `FrameError`.
        """
        rest = self._rest
        if not rest:
            return data
        rest += data
        if len(rest) < HEADER_SIZE or len(rest) < HEADER_SIZE + self._length(rest, 0):
            return b""
        data = bytes(rest)
        rest.clear()
        return data

    def payloads(self, data: bytes, at: int = 0) -> Iterator[bytes]:
        """Give the payloads of what `joined` has returned, from `at` on; what is incomplete waits for more."""
        end = len(data)
        while end - at >= HEADER_SIZE:
            stop = at + HEADER_SIZE + self._length(data, at)
            if stop > end:
                break
            yield data[at + HEADER_SIZE : stop]
            at = stop
        if at < end:
            self._rest += data[at:]

    def _length(self, buffer: bytes | bytearray, at: int) -> int:
        length: int = _LENGTH.unpack_from(buffer, at)[0]
        if not 0 < length <= self.limit:
            raise FrameError(f"a frame of {length} bytes is not between 1 and {self.limit}")
        return length
