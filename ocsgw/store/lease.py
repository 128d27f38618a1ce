"""Which of several servers is the one: a lease in the store, with an epoch that rises each time it is taken (C81).

What is common to all engines. Every write transaction of a server of a pair checks that the lease is still its own, in
the engine itself (C82), and renews it when that is due: under load a renewal costs no commit of its own. Where all
servers serve at once (`[ha] mode = "active"`) the lease is that of the chores, and only their transactions check it.
"""

from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple, Protocol

# A renewal is due a little before its interval is over, so that a round of a timer does not miss it by an instant.
_DUE = 0.8


@dataclass(frozen=True, slots=True)
class PairMember:
    """One server of several on a store: its name for people, and its lease's times in seconds (section `[ha]`).

    `token` distinguishes this process from every other one, an earlier one of the same name included. With
    `all_serve` every one of them serves; else only the one that has the lease.
    """

    name: str
    lease_time: float
    renew_interval: float
    token: str = field(default_factory=lambda: token_hex(16))
    all_serve: bool = False

    def is_renewal_due(self, remaining: float) -> bool:
        """Whether a lease that is valid for so many more seconds should be renewed."""
        return self.lease_time - remaining >= _DUE * self.renew_interval


class Lease(NamedTuple):
    """The lease as it stands in the store.

    `holder` is the name of the primary, empty if there has been none. `remaining` is for how many more seconds the
    lease is valid; 0 or less: it has lapsed. `objects` is what the primary has said of its configuration (C88).
    `ready` are the names of the other servers that are ready to take it.
    """

    epoch: int
    holder: str
    is_ours: bool
    remaining: float
    objects: str
    ready: tuple[str, ...] = ()

    @property
    def standby(self) -> str | None:
        """A server that is ready to take over, None without one."""
        return self.ready[0] if self.ready else None


class LeaseKeeper(Protocol):
    """The lease of an engine that was opened for a pair. Used in the thread of the engine, except `remaining`."""

    objects: str
    """What the primary says of its configuration; stored with the next renewal."""

    @property
    def remaining(self) -> float | None:
        """For how many more seconds our lease is valid, as far as this process knows; None if we do not have it."""

    def look(self) -> Lease:
        """Return the lease. A server that does not have it lets the other one know that it is ready.

        Raises `StoreFailureError`.
        """

    def take(self) -> bool:
        """Take the lease if it has lapsed; return whether it is ours now. Raises `StoreFailureError`."""

    def renew(self) -> None:
        """Renew our lease in a transaction of its own. Raises `NotPrimaryError`, `StoreFailureError`."""

    def check(self) -> None:
        """Make sure, within a transaction of the engine, that the lease is ours until its end.

        Raises `NotPrimaryError`. Where only one server serves, its transactions have begun with that.
        """

    def hand_over(self) -> None:
        """Give our lease up, so that the other server may take it at once. Raises `StoreFailureError`."""

    def drop(self) -> None:
        """Write nothing more, whatever the store says."""
