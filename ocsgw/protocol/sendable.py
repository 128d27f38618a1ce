"""Whether key-values can cross the link (P62, P63): what the other side would call a breach is never sent."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ocsgw import speedups
from ocsgw.protocol import strict
from ocsgw.protocol.frames import HEADER_SIZE
from ocsgw.protocol.messages import KV, Event, encode

_quickly: Callable[[int, KV, int], bytes | None] | None = None
if TYPE_CHECKING or not speedups.is_used():

    def _are_short(data: KV, longest: int) -> bool:
        """Whether all values are texts of at most so many characters, or integers of 64 bits."""
        for value in data.values():
            if value.__class__ is str:
                if len(value) > longest:
                    return False
            elif value.__class__ is not int or not -_INT64 <= value < _INT64:
                return False
        return True

else:
    from ocsgw.speedups.back import are_short as _are_short
    from ocsgw.speedups.back import event_frame

    _quickly = event_frame

_INT64 = 2**63
# More than the envelope of an event takes, the reference id of its request included.
_ENVELOPE = 2048
# A few texts up to this length fit into every frame; in characters, of so many bytes at most.
_SHORT = 512
_UTF8 = 4


class UnsendableError(Exception):
    """A message cannot be sent: a value has no form on the wire, or it is larger than a frame.

    `size` is the number of bytes of a message that is too large, 0 for one that has no form.
    """

    def __init__(self, text: str, size: int = 0) -> None:
        super().__init__(text)
        self.size = size


def encode_event(event: Event, limit: int) -> bytes:
    """Return the frame of an event whose payload has at most `limit` bytes. Raises `UnsendableError`."""
    data, ref = event.data, event.ref
    if _quickly is not None and ref is not None and not event.more and not event.replayed and event.code is None:
        frame = _quickly(ref, data, limit)
        if frame is not None:
            return frame
    for value in data.values():
        # On the way of every answer: no calls.
        if value.__class__ is not str and not (value.__class__ is int and -_INT64 <= value < _INT64):
            try:
                strict.check_values(data)
            except ValueError as error:
                raise UnsendableError(str(error)) from None
            break
    try:
        frame = encode(event)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnsendableError(str(error)) from error
    if len(frame) > limit + HEADER_SIZE:
        size = len(frame) - HEADER_SIZE
        raise UnsendableError(f"{size} bytes, and [limits] frame is {limit}", size)
    return frame


def event_fits(data: KV, limit: int) -> bool:
    """Whether an event with these key-values can be sent in a frame of `limit` bytes.

    It is asked before the commit about answers whose size nobody bounds: texts of other programs, long chains. Raises
    `UnsendableError` for a value that has no form on the wire.
    """
    if len(data) * _SHORT * _UTF8 + _ENVELOPE <= limit and _are_short(data, _SHORT):
        return True
    try:
        encode_event(Event(data=data), limit - _ENVELOPE)
    except UnsendableError as error:
        if error.size:
            return False
        raise
    return True
