"""Requests that wait for the store, as the committer takes them, and what it needs of the store."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ocsgw.contact.batch import Outcome
from ocsgw.contact.transaction import Transaction
from ocsgw.contact.unit_of_work import PendingRequest


class Awaiting(Protocol):
    """A request that waits for the store. `deadline` is a time of the clock, None without one."""

    pending: PendingRequest
    deadline: float | None

    def deliver(self, outcome: Outcome) -> None:
        """Take what has become of the request, once, after the commit."""


@dataclass(slots=True, eq=False)
class Job:
    """A request whose outcome a function takes."""

    pending: PendingRequest
    deliver: Callable[[Outcome], None]
    deadline: float | None = None


class Store(Protocol):
    """What the committer needs of an engine."""

    def transaction(self, wait: float, *, alone: bool = True) -> AbstractContextManager[Transaction]:
        """Begin a write transaction within `wait` seconds, commit it at the end of the block.

        One that need not be `alone` may go on beside those of other servers.
        """


class Cancellable(Protocol):
    """A call that is to come."""

    def cancel(self) -> object:
        """Do not call."""
