"""Whether batches are so quick that the reactor carries them out itself (docs/architecture.md)."""

from collections.abc import Callable
from time import perf_counter, thread_time

# Seconds that a batch may keep a thread waiting, on average, for the thread to be the reactor's.
_PATIENCE = 0.0015
# A batch that takes so long is slow, whether it waits or computes.
_LONG = 0.03
# How many batches an average remembers.
_MEMORY = 16


def stopwatch() -> tuple[float, float]:
    """Return the time and the processor time of this thread, in seconds."""
    return perf_counter(), thread_time()


class Pace:
    """The average time that a batch has lately waited for the disk, for other programs, or for the interpreter.

    A reactor that waits does nothing else; while the wait is shorter than handing a batch to a thread and back costs,
    that is a gain. `stopwatch` is that of the thread that asks.
    """

    def __init__(self, stopwatch: Callable[[], tuple[float, float]] = stopwatch) -> None:
        self.stopwatch = stopwatch
        self._waited = 0.0

    @property
    def is_brisk(self) -> bool:
        """Whether the next batch may be expected to keep nobody waiting."""
        return self._waited < _PATIENCE

    def note(self, begun: tuple[float, float]) -> float:
        """Note the batch of this thread that began at this reading of the stopwatch; return its duration."""
        now, busy = self.stopwatch()
        took = now - begun[0]
        waited = took if took > _LONG else max(0.0, took - (busy - begun[1]))
        self._waited += (waited - self._waited) / _MEMORY
        return took
