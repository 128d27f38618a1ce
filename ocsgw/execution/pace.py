"""Whether batches are so quick that the reactor carries them out itself (docs/architecture.md)."""

from collections import deque
from collections.abc import Callable
from time import perf_counter, thread_time

# Seconds that a commit may keep a thread waiting, typically, for the thread to be the reactor's.
_PATIENCE = 0.0015
# A batch that waits or computes for so long is slow, and one of them is enough.
_LONG = 0.03
# How many batches are looked at.
_MEMORY = 16

# Time and processor time of a thread, in seconds.
Reading = tuple[float, float]


def stopwatch() -> Reading:
    """Return the time and the processor time of this thread, in seconds."""
    return perf_counter(), thread_time()


class Pace:
    """How long commits have lately waited for the disk.

    A reactor that waits does nothing else; while the wait is shorter than handing a batch to a thread and back costs,
    that is a gain. Only the commit counts, and more than half of the last ones have to be slow: on a processor that
    others use too, a batch waits for its turn now and then, and that says nothing of the disk. `stopwatch` is that of
    the thread that asks.
    """

    def __init__(self, stopwatch: Callable[[], Reading] = stopwatch) -> None:
        self.stopwatch = stopwatch
        self._waits: deque[float] = deque((0.0,) * _MEMORY)
        # How many of these are slow, and how many too long.
        self._slow = self._long = 0
        self.is_brisk = True
        """Whether the next batch may be expected to keep nobody waiting."""

    def note(self, begun: Reading, committing: Reading | None) -> float:
        """Note a batch of this thread, by the readings when it began and when its commit did; return its duration.

        A batch that came to no commit is judged by its length alone.
        """
        now, work = self.stopwatch()
        took, worked = now - begun[0], work - begun[1]
        if max(worked, took - worked) > _LONG:
            waited = took
        else:
            waited = now - committing[0] - (work - committing[1]) if committing is not None else 0.0
        self._waits.append(waited)
        gone = self._waits.popleft()
        self._slow += (waited >= _PATIENCE) - (gone >= _PATIENCE)
        self._long += (waited >= _LONG) - (gone >= _LONG)
        self.is_brisk = self._slow <= _MEMORY // 2 and not self._long
        return took
