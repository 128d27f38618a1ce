"""How much of bodies that are being received is kept, all connections together (`[limits] buffered`)."""

from typing import Generic, TypeVar

T = TypeVar("T")


class BodyMemory(Generic[T]):
    """What each holder keeps, in bytes, against `most` for all of them.

    When it is too much, a holder of more than an equal share that wants more has to give up: clients with small
    requests do not suffer from those with large ones.
    """

    def __init__(self) -> None:
        self.most = 0
        self.total = 0
        self._held: dict[T, int] = {}

    def hold(self, holder: T, size: int) -> bool:
        """Keep `size` bytes for a holder from now on; return whether that fits."""
        self.total += size - self._held.get(holder, 0)
        self._held[holder] = size
        return self.total <= self.most or size * len(self._held) <= self.most

    def release(self, holder: T) -> None:
        """A holder keeps nothing any more."""
        self.total -= self._held.pop(holder, 0)
