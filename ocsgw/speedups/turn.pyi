"""What a turn of the reactor needs: sockets, the processor."""

from collections.abc import Callable
from typing import Any

SOURCES: str

def receive_all(
    events: list[tuple[int, int]],
    selectables: dict[int, Any],
    streams: dict[type, bool],
    deal: Callable[[Any, int, int], object],
    give: Callable[[Any, bytes], object],
    end: Callable[[Any, bool], object],
    fail: Callable[[Any], object],
) -> None:
    """Deal with the events of one turn of the reactor."""

def send(descriptor: int, data: bytes) -> int:
    """Send what the socket takes at once; return how many bytes, 0 if it takes none or is lost."""

def set_slice(nanoseconds: int) -> bool:
    """Have the scheduler of Linux give this thread slices of such a length; return whether it takes that."""
