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
# No lease is valid for longer, as `lease_time` is at most (seconds), and none was taken more often. What says otherwise
# was not written by a server; whoever believed it would wait for ever.
LONGEST = 3600.0
_LAST_EPOCH = 1 << 62


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
        """Whether a lease that is valid for so many more seconds should be renewed, or has not the time we gave it."""
        return not 0 <= self.lease_time - remaining < _DUE * self.renew_interval


class Lease(NamedTuple):
    """The lease as it stands in the store.

    `holder` is the name of the primary, empty if there has been none. `remaining` is for how many more seconds the
    lease is valid; 0 or less: it has lapsed. `objects` is what the primary has said of its configuration (C88).
    `ready` are the names of the other servers that are ready to take it. With `is_odd` no server has written it; it
    counts as lapsed. `now` is the time of the store in seconds since 1970 UTC, None where that is the server's own.
    """

    epoch: int
    holder: str
    is_ours: bool
    remaining: float
    objects: str
    ready: tuple[str, ...] = ()
    is_odd: bool = False
    now: float | None = None

    @property
    def standby(self) -> str | None:
        """A server that is ready to take over, None without one."""
        return self.ready[0] if self.ready else None


def lease_of(
    epoch: object,
    remaining: object,
    holder: object = "",
    objects: object = "",
    *,
    is_ours: bool = False,
    ready: tuple[str, ...] = (),
    now: float | None = None,
) -> Lease:
    """Return the lease that a store has, whatever other programs have made of its values."""
    is_epoch = isinstance(epoch, int) and 0 <= epoch < _LAST_EPOCH
    is_odd = not (is_epoch and isinstance(remaining, int | float) and remaining <= LONGEST)
    return Lease(
        epoch if isinstance(epoch, int) and is_epoch else 0,
        holder if isinstance(holder, str) else "",
        is_ours,
        remaining if isinstance(remaining, int | float) and not is_odd else 0.0,
        objects if isinstance(objects, str) else "",
        ready,
        is_odd,
        now,
    )


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
