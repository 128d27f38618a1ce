"""What the structs of the configuration are made of."""

import msgspec


class Secret:
    """A text that must not be shown: ``value`` has it, ``repr`` and ``str`` do not (C6, H347)."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @property
    def value(self) -> str:
        """The secret text."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(********)"

    def __str__(self) -> str:
        return "********"


class PemFile(msgspec.Struct, frozen=True):
    """A PEM file: its absolute path and its text at the time of reading. The text is not shown."""

    path: str
    text: str

    def __repr__(self) -> str:
        return f"PemFile({self.path!r})"


class Part(msgspec.Struct, frozen=True, eq=False):
    """Base of the structs that stand for tables of the file."""
