"""Imports without what they bring along for nothing: the time that a start takes, and memory of each process."""

import contextlib
import importlib
import importlib.util
import sys
import types
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


@contextlib.contextmanager
def with_stand_in(name: str, **attributes: object) -> Iterator[None]:
    """Let what is imported here have these attributes of a module that is not loaded for them.

    Whoever asks for another one loads it. What has taken one keeps it; afterwards the module itself can be imported as
    ever. Nothing changes where it has been loaded already. Raises `ModuleNotFoundError` if there is none of this name.
    """
    if name in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(name)
    stand_in = sys.modules[name] = types.ModuleType(name)
    if spec.submodule_search_locations is not None:
        stand_in.__path__ = spec.submodule_search_locations

    def load(attribute: str) -> object:
        if attribute.startswith("__"):
            # What the import system wants to know of it.
            raise AttributeError(attribute)
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    vars(stand_in).update(attributes, __getattr__=load)
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
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
