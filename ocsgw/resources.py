"""What the operating system lets a process have."""

import resource


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard
