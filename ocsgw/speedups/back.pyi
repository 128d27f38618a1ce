"""The way of usual requests into OCS and out of it."""

from collections.abc import Iterable, Sequence
from typing import Any

SOURCES: str

def know(keys: Iterable[str]) -> None:
    """Use these objects where a text is the same: looking up one's own is quickest."""

def requests(data: bytes, limit: int) -> tuple[list[Any], int]:
    """Return the usual requests with which `data` begins, and where the first other frame begins.

    They have the attributes of `protocol.messages.Request`.
    """

def event_frame(ref: int, data: Any, limit: int) -> bytes | None:
    """Return the frame of a final event, None where `encode_event` has to look at it."""

def are_short(data: dict[str, Any], longest: int) -> bool:
    """Whether all values are texts of at most so many characters, or integers of 64 bits."""

class Job:
    """A usual request on its way to the committer and back; `deadline` and `begun` are times of the clock."""

    dispatcher: Any
    request: Any
    pending: Any
    end: Any
    deadline: float | None
    begun: float

    @property
    def reply(self) -> Any:
        """What takes the events of the request."""

    def deliver(self, outcome: Any) -> None:
        """Take what has become of the request."""

def jobs(
    requests: list[Any],
    at: int,
    room: int,
    large_room: int,
    refs: set[int],
    kinds: dict[str, Any],
    large: frozenset[str],
    context: object,
    make: Any,
    dispatcher: object,
    end: object,
    now: float,
) -> tuple[list[Job], list[int]]:
    """Return jobs for requests that are usual, and note their refs; and the refs of those with large answers."""

def answers(
    jobs: Sequence[Any],
    outcomes: Sequence[Any],
    at: int,
    refs: set[int],
    limit: int,
    now: float,
    bounds: tuple[float, ...],
    but: frozenset[str],
) -> tuple[bytes, int, list[tuple[Any, list[int], float]]]:
    """Return the answers to jobs as frames, how many there are, and how long the requests of each kind took."""
