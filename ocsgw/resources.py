"""What the operating system lets a process have, and how a process goes about its memory and the processor."""

import gc
import resource

from ocsgw import speedups

if speedups.is_used():
    from ocsgw.speedups.turn import set_slice
else:

    def set_slice(nanoseconds: int) -> bool:
        """Return that this cannot be done: Python has no such call."""
        return False


# How many objects may be made before the collector looks at them, and how many times the older ones wait.
_THRESHOLDS = (50_000, 20, 50)

# Nanoseconds: shorter than the slices that Linux gives others, which are 0.7 ms on one core and longer on several.
_BRIEF = 500_000


def take_brief_turns() -> bool:
    """Have this process run as soon as there is something for it to do, before others on its core; say if it does.

    For one that has a little to do each time: what wakes up with a shorter slice than what runs goes first (Linux 6.12
    and later). It gets no more of the processor than before.
    """
    return set_slice(_BRIEF)


def settle_memory() -> None:
    """Let the collector of circular garbage look less often, and never again at what a process begins with.

    What serves requests makes no circles; with the thresholds of Python the collector takes 4 to 7 % of the time.
    Called once everything is loaded; the collector looks from then on, also where it was disabled until then.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard
