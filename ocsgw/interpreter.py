"""Which Python this is, and whether what runs is fast: most of a request is the interpreter's own work."""

import platform
import sysconfig

from ocsgw import speedups


def is_optimized() -> bool:
    """Whether this interpreter was built with profile-guided optimization.

    Debian builds its own so, without the option that others use for it; its scheme of folders tells.
    """
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return "--enable-optimizations" in arguments or "deb_system" in sysconfig.get_scheme_names()


def description() -> str:
    """Return the interpreter in words, and whether compiled parts are used, with what it means for speed."""
    built = "built with optimizations" if is_optimized() else "built WITHOUT optimizations (a tenth slower or more)"
    return f"Python {platform.python_version()}, {built}; {speedups.description()}"
