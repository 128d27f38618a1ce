"""The way of a usual request through OCS: from the frames of a link to a row, and back to a frame."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

SOURCES: str
T_co = TypeVar("T_co", covariant=True)

class _Make(Protocol[T_co]):
    def __call__(
        self,
        *,
        ref: int,
        data: dict[str, Any],
        deadline_ms: int | None,
        idempotency_key: str | None,
        principal: str | None,
        request_id: str | None,
        peer: str | None,
    ) -> T_co: ...

def know(keys: Iterable[str]) -> None:
    """Use these objects where a text is the same: looking up one's own is quickest."""

def requests(data: bytes, limit: int, make: _Make[T_co]) -> tuple[list[T_co], int]:
    """Return the usual requests with which `data` begins, and where the first other frame begins."""

def fill(
    stored: tuple[tuple[int, str], ...],
    hidden: tuple[tuple[int, str], ...],
    named: tuple[tuple[int, str, dict[str, tuple[int, str]]], ...],
    custom: tuple[tuple[Any, ...], ...],
    data: dict[str, Any],
    row: list[Any],
    event: dict[str, Any],
) -> Sequence[str]:
    """Store and show what needs no conversion; return the keys of what is left."""

def event_frame(ref: int, data: dict[str, Any], limit: int) -> bytes | None:
    """Return the frame of a final event, None where `encode_event` has to look at it."""
