"""A strict reader of MessagePack that keeps nothing and judges whether a payload obeys P61 to P63.

The fast decoder builds objects and cannot see equal keys, nor what stands under keys that it skips. This one is only
asked about payloads with something unusual in them.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import cast

MAX_DEPTH = 8
_INT64 = 2**63

_LENGTHS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}
_INTEGER_WIDTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_STRING_WIDTHS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY_WIDTHS = {0xDC: 2, 0xDD: 4}
_MAP_WIDTHS = {0xDE: 2, 0xDF: 4}


def check(payload: bytes) -> None:
    """Raise `ValueError` with the reason unless `payload` is exactly one well-formed map.

    Keys are unique strings; values are nil, booleans, 64-bit signed integers, UTF-8 strings, arrays and maps, nested
    up to `MAX_DEPTH` (P61 to P63).
    """
    reader = _Reader(payload)
    head = reader.head()
    if head[0] != "map":
        raise ValueError("the payload is not a map")
    reader.map(head[1], 1)
    if reader.at != len(payload):
        raise ValueError("bytes follow the map")


def check_values(data: Mapping[str, object]) -> None:
    """Raise `ValueError` with key and reason unless the values of a message consist of what P62 and P63 allow."""
    for key, value in data.items():
        try:
            # A message is a map, and its data another one.
            _check((value,), MAX_DEPTH - 2)
        except ValueError as error:
            raise ValueError(f"the value of {key} {error}") from None


def _check(values: Iterable[object], depth: int) -> None:
    """Raise `ValueError` unless all values are allowed; containers may go `depth` deep."""
    for value in values:
        kind = value.__class__
        if kind is str or kind is bool or value is None:
            continue
        if kind is int:
            if not -_INT64 <= cast("int", value) < _INT64:
                raise ValueError("is not a 64-bit integer")
        elif kind is dict or kind is list:
            if depth == 0:
                raise ValueError("is nested too deeply")
            if kind is list:
                _check(cast("list[object]", value), depth - 1)
            else:
                members = cast("dict[object, object]", value)
                for name in members:
                    if name.__class__ is not str:
                        raise ValueError("has a key that is not a text")
                _check(members.values(), depth - 1)
        else:
            raise ValueError(f"is of type {kind.__name__}")


class _Reader:
    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.payload):
            raise ValueError("the payload is cut off")
        piece = self.payload[self.at : end]
        self.at = end
        return piece

    def length(self, width: int) -> int:
        number: int = _LENGTHS[width].unpack(self.take(width))[0]
        return number

    def head(self) -> tuple[str, int]:
        """Read one value, or the head of a container: its type and its size."""
        first = self.take(1)[0]
        if first <= 0x7F or first >= 0xE0 or first in (0xC0, 0xC2, 0xC3):
            return "scalar", 0
        if first in _INTEGER_WIDTHS:
            raw = self.take(_INTEGER_WIDTHS[first])
            if first == 0xCF and raw[0] >= 0x80:
                raise ValueError("an integer is beyond 64 bits signed")
            return "scalar", 0
        if 0xA0 <= first <= 0xBF:
            return "string", first & 0x1F
        if first in _STRING_WIDTHS:
            return "string", self.length(_STRING_WIDTHS[first])
        if 0x90 <= first <= 0x9F:
            return "array", first & 0x0F
        if first in _ARRAY_WIDTHS:
            return "array", self.length(_ARRAY_WIDTHS[first])
        if 0x80 <= first <= 0x8F:
            return "map", first & 0x0F
        if first in _MAP_WIDTHS:
            return "map", self.length(_MAP_WIDTHS[first])
        raise ValueError(f"a value has the type byte 0x{first:02x}, which is not allowed")

    def string(self, size: int) -> str:
        return self.take(size).decode("utf-8")

    def value(self, depth: int) -> None:
        kind, size = self.head()
        if kind == "string":
            self.string(size)
        elif kind == "array":
            if depth >= MAX_DEPTH:
                raise ValueError(f"values are nested deeper than {MAX_DEPTH}")
            for _ in range(size):
                self.value(depth + 1)
        elif kind == "map":
            if depth >= MAX_DEPTH:
                raise ValueError(f"values are nested deeper than {MAX_DEPTH}")
            self.map(size, depth + 1)

    def map(self, size: int, depth: int) -> None:
        seen: set[str] = set()
        for _ in range(size):
            kind, length = self.head()
            if kind != "string":
                raise ValueError("a key is not a string")
            key = self.string(length)
            if key in seen:
                raise ValueError("a key stands twice in one map")
            seen.add(key)
            self.value(depth)
