"""What readers of the outbox, and whoever sends notifications, ask of the store."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ocsgw.contact.news import StoredNews
from ocsgw.contact.outbox import Delivery, OutboxEntry


class OutboxStatements(Protocol):
    """The outbox: what has changed, in order; only appended to, and shortened at its beginning."""

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others, in their order."""

    def outbox_after(self, number: int, at_most: int) -> list[OutboxEntry]:
        """Return the entries behind a number, in order, at most so many."""

    def outbox_bounds(self) -> tuple[int, int]:
        """Return the numbers of the oldest entry that is stored and of the newest that ever was; 0 without one."""

    def outbox_of_chain(self, list_dbid: int, chain_id: int, at_most: int) -> list[OutboxEntry]:
        """Return the entries about a chain, the newest ones if there are more than so many, in order."""

    def outbox_of_added(self, list_dbid: int, record_id: int) -> OutboxEntry | None:
        """Return the last entry about records added in chains of their own that begins at or before a record id."""

    def outbox_of_handle(self, handle: int) -> list[OutboxEntry]:
        """Return the entries about a record handle, in order."""

    def forget_outbox(self, before: int, most: int, at_most: int) -> int:
        """Delete the first entries, at most so many: those up to a time, and those beyond the last `most`.

        Returns how many were deleted.
        """

    def append_news(self, origin: str, texts: Sequence[str], now: int) -> None:
        """Store what server `origin` tells those that serve at the same time."""

    def news_after(self, number: int, at_most: int) -> list[StoredNews]:
        """Return the news behind a number, in order, at most so many."""

    def newest_news(self) -> int:
        """Return the number of the newest news that are stored, 0 without any."""

    def forget_news(self, before: int) -> int:
        """Delete the news of before a time; return how many there were."""

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store notifications behind all others, which gives them their numbers."""

    def deliveries_after(self, number: int, at_most: int) -> list[Delivery]:
        """Return the notifications that wait behind a number, in order, at most so many."""

    def count_deliveries(self) -> dict[str, int]:
        """Return how many notifications wait, by purpose."""

    def remove_deliveries(self, numbers: Iterable[int]) -> list[str]:
        """Delete notifications that have arrived, or that nobody wants any more; return the purposes of those found."""
