"""Compiled parts: what a request passes through most often, once more in Cython.

Each part does what Python code elsewhere does, or declines by returning None, and then the Python code does it: that is
the truth, and the tests compare both. So everything works without the compiled parts, only slower. Whoever has one to
use asks `is_used` once, when it is imported, and imports the part only then:

    if speedups.is_used():
        from ocsgw.speedups.bodies import ...

The parts import nothing of ours; what they need they are given.
"""

import os
from functools import cache
from importlib import import_module

from ocsgw.speedups.sources import digest

# Those of pyproject.toml.
PARTS = ("back", "bodies", "events", "lane", "records", "rows", "tls", "turn", "wal")
# Set, to anything but "0", it keeps the compiled parts out.
SWITCH = "OCSGW_PURE"


def is_used() -> bool:
    """Whether the compiled parts are there, fit the sources, and are wanted."""
    return _missing() is None


def description() -> str:
    """Return in words whether compiled parts are used, and what to do where they are not."""
    return _missing() or "compiled parts in use"


@cache
def _missing() -> str | None:
    """Return why compiled parts are not used, None if they are. All of them or none: mixtures are tested by nobody."""
    if os.environ.get(SWITCH, "0") not in ("", "0"):
        return f"compiled parts not used, because {SWITCH} is set"
    expected = digest()
    for part in PARTS:
        try:
            compiled_from = import_module(f"{__name__}.{part}").SOURCES
        except ImportError:
            return (
                "WITHOUT compiled parts (slower): install gcc and the header files of this Python "
                "(Debian: gcc and python3-dev) and install ocsgw again"
            )
        if compiled_from != expected:
            return "WITHOUT compiled parts (slower): they are of other sources; install ocsgw again"
    return None
