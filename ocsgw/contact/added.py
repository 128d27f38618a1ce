"""Records that are being added: their rows, and what acknowledges them.

Where there are compiled parts an acknowledgement is no object: the answer is written from the row. Only who looks at it
makes it one.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from ocsgw import speedups
from ocsgw.protocol.messages import KV

__all__ = ["Draft", "Row", "answer_with", "number", "rows_of"]

Row = list[Any]

if TYPE_CHECKING or not speedups.is_used():

    class Draft(msgspec.Struct):
        """A record to be added: its row in the order of the columns, its acknowledgement but for numbers, its chain."""

        at: int
        row: Row
        event: KV
        chain: int | None

    def number(drafts: list[Draft], record_id: int, chain_id: int, at_record: int, at_chain: int) -> None:
        """Give drafts the ids behind these, and chains of their own."""
        for draft in drafts:
            record_id += 1
            chain_id += 1
            draft.row[at_record] = record_id
            draft.row[at_chain] = draft.event["GSW_CHAIN_ID"] = chain_id

    def answer_with(drafts: list[Draft], replies: list[Any]) -> None:
        """Put what drafts are acknowledged with into the places of their requests."""
        for draft in drafts:
            replies[draft.at] = draft.event

    def rows_of(drafts: list[Draft]) -> list[Row]:
        """Return the rows of drafts."""
        return [draft.row for draft in drafts]

else:
    from ocsgw.speedups.rows import Draft, answer_with, number, rows_of
