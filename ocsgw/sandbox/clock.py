"""The virtual clock of a sandbox."""

from ocsgw.clock import WallClock


class VirtualClock:
    """Goes as the real one does, from wherever it is put; in seconds since 1970 UTC."""

    def __init__(self, real: WallClock) -> None:
        self._real = real
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self._real() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put it forward; backward with negative seconds."""
        self._ahead += seconds

    def set(self, to: float) -> None:
        """Put it to a time."""
        self._ahead = to - self._real()

    def reset(self) -> None:
        """Let it show the real time again."""
        self._ahead = 0.0
