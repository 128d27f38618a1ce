"""Rows of a file in parts, as they go to an import: each is read when its turn comes, so that nobody waits for all."""

from collections.abc import Sequence
from itertools import chain
from typing import Annotated

import msgspec

from ocsgw.operations.verdicts import Row

# As many rows as take a few milliseconds: requests wait for one part while clients are there.
ROWS = 128

_pack = msgspec.msgpack.Encoder()
_rows = msgspec.msgpack.Decoder(Annotated[list[Row], msgspec.Meta(max_length=ROWS)])


def in_parts(rows: Sequence[Row]) -> list[bytes]:
    """Return rows in parts, for `ImportRows`."""
    return [_pack.encode(rows[at : at + ROWS]) for at in range(0, len(rows), ROWS)]


def rows_of(parts: Sequence[bytes]) -> list[Row]:
    """Return the rows of some parts. Raises `msgspec.DecodeError`."""
    return list(chain.from_iterable(map(_rows.decode, parts)))
