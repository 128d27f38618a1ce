"""The configuration as it may be shown: every key with its value, no secret."""

from collections.abc import Iterator

import msgspec

from ocsgw.config import Config, PemFile


def keys_in_force(config: Config) -> list[tuple[str, str]]:
    """Return every key, with dots between tables, and its value in words. What is not set has none and is left out."""
    return list(_keys("", config))


def _keys(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, PemFile):
        yield name, value.path
    elif isinstance(value, msgspec.Struct):
        for each in value.__struct_fields__:
            yield from _keys(f"{name}.{each}" if name else each, getattr(value, each))
    elif isinstance(value, tuple) and any(isinstance(each, msgspec.Struct) for each in value):
        for at, each in enumerate(value):
            known = getattr(each, "name", None) or getattr(each, "id", None) or at
            yield from _keys(f"{name}[{known}]", each)
    elif isinstance(value, tuple) and value:
        yield name, ", ".join(_text(each) for each in value)
    elif value not in (None, ()):
        yield name, _text(value)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ": ".join(map(_text, value))
    # A secret shows nothing of itself as a text.
    return str(value).lower() if isinstance(value, bool) else str(value)
