"""Time limits of many connections without a timer for each (http.md section 2)."""

from typing import Generic, TypeVar

T = TypeVar("T")


class TimeLimit(Generic[T]):
    """One limit in seconds for whatever is started: as it is the same for all, the oldest comes first.

    Times are those of the caller's clock; `since` are those at which items were started, the oldest first.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.since: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self.since)

    def start(self, item: T, now: float) -> None:
        """Begin to count for `item`, anew if it was counted already."""
        self.since.pop(item, None)
        self.since[item] = now

    def stop(self, item: T) -> None:
        """Count no longer for `item`."""
        self.since.pop(item, None)

    def longest(self) -> T | None:
        """Return the item that was started first, None if there is none."""
        return next(iter(self.since), None)

    def expired(self, now: float) -> list[T]:
        """Remove and return the items whose time is over."""
        over = []
        for item, since in self.since.items():
            if now - since < self.seconds:
                break
            over.append(item)
        for item in over:
            del self.since[item]
        return over
