"""Sockets as a turn of the reactor needs them."""

from collections.abc import Callable
from typing import Any

SOURCES: str

def receive_all(
    events: list[tuple[int, int]],
    selectables: dict[int, Any],
    plain: tuple[type, ...],
    deal: Callable[[Any, int, int], object],
    end: Callable[[Any, bool], object],
    fail: Callable[[Any], object],
) -> None:
    """Deal with the events of one turn of the reactor."""

def send(descriptor: int, data: bytes) -> int:
    """Send what the socket takes at once; return how many bytes, 0 if it takes none or is lost."""
