"""Numbers that a server which writes alone has reserved, for batches that ask the database nothing (`pipelined.py`).

A counter is raised ahead of what is used, by the name that it has in the store. What is left of a reservation is
given back when the store is closed, and left out after a crash: numbers have gaps then, and never come again.
Transactions that do ask use the same reservation, so numbers ascend whoever gives them out.
"""

from collections.abc import Iterable, Iterator, Sequence

from ocsgw.protocol.attributes import INT32_MAX

# So many are reserved at a time, again as soon as fewer than half of them are left.
AHEAD = 4000
# The last numbers of 32 bits are given out one by one.
LAST = INT32_MAX - 4 * AHEAD


class Numbers:
    """By the name of a counter: the last number that was used, and the last one that is reserved."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}
        self._rising: set[str] = set()

    def take(self, names: Sequence[str], count: int) -> list[int] | None:
        """Take so many numbers of each; return those before the first ones, None if there are not enough."""
        known = [self._known.get(name, (0, 0)) for name in names]
        if any(end - last < count for last, end in known):
            return None
        for name, (last, end) in zip(names, known, strict=True):
            self._known[name] = (last + count, end)
        return [last for last, _ in known]

    def last_used(self, name: str, counter: int | None) -> int | None:
        """Return the last number that was used, where the counter has this value."""
        last, end = self._known.get(name, (0, 0))
        return last if counter is not None and counter == end else counter

    def used(self, name: str, number: int) -> None:
        """A committed transaction has used this number, and raised the counter if it was beyond."""
        last, end = self._known.get(name, (0, 0))
        self._known[name] = (max(last, number), max(end, number))

    def reserved(self, name: str, last: int, end: int) -> None:
        """The numbers behind `last`, up to `end`, are ours."""
        self._known[name] = (last, end)

    # Counters that a batch on its way raises: one at a time.

    def low(self, names: Iterable[str]) -> dict[str, int]:
        """Return the last reserved numbers of counters that are to be raised."""
        return {
            name: end
            for name, (last, end) in ((name, self._known.get(name, (0, 0))) for name in names)
            if name not in self._rising and 2 * (end - last) < AHEAD and end <= LAST
        }

    def raising(self, names: Iterable[str]) -> None:
        """Counters are being raised by `AHEAD`."""
        self._rising.update(names)

    def raised(self, ends: dict[str, int], *, committed: bool) -> None:
        """They have been raised from these values, or have not."""
        self._rising.difference_update(ends)
        if committed:
            for name, before in ends.items():
                last, end = self._known.get(name, (0, 0))
                if end == before:
                    self._known[name] = (last, end + AHEAD)

    def clear(self) -> None:
        """Forget everything: what was reserved is left out."""
        self._known.clear()
        self._rising.clear()

    def spare(self) -> Iterator[tuple[int, str, int]]:
        """Yield what is left: the number that is enough, its name, the one in the store."""
        for name, (last, end) in self._known.items():
            if last < end:
                yield last, name, end
