"""What the operating system lets a process have, and how a process goes about its memory."""

import gc
import resource

# How many objects may be made before the collector looks at them, and how many times the older ones wait.
_THRESHOLDS = (50_000, 20, 50)


def settle_memory() -> None:
    """Let the collector of circular garbage look less often, and never again at what a process begins with.

    What serves requests makes no circles; with the thresholds of Python the collector takes 4 to 7 % of the time.
    Called once everything is loaded.
    """
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
