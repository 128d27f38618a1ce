"""Imports without what they bring along for nothing: the time that a start takes, and memory of each process."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let what is imported here do without these modules, as it does where they do not exist.

    Nothing changes for a module that has been loaded already; afterwards each can be imported as ever.
    """
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # that is how an import is refused
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def load_when_used(name: str) -> None:
    """Have a module loaded by the first look at one of its attributes, not where it is imported.

    Raises `ModuleNotFoundError` if there is none of this name.
    """
    if name in sys.modules:
        return
    package, _, last = name.rpartition(".")
    holder = importlib.import_module(package) if package else None
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    if holder is not None:
        setattr(holder, last, module)
