"""Whether this server does what only one of the servers of a store may do: chores, and sending what waits."""

from collections.abc import Callable
from typing import TypeVar

from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.store.lease import LeaseKeeper

T = TypeVar("T")
_Chore = Callable[[UnitOfWork], T | Unfinished[T]]


class Duty:
    """The duty of a server; `lease` is that of the chores, None where this server has them whenever it is active."""

    def __init__(self, lease: LeaseKeeper | None) -> None:
        self._lease = lease

    @property
    def is_ours(self) -> bool:
        """Whether the chores are this server's, as far as it knows."""
        return self._lease is None or (self._lease.remaining or 0.0) > 0

    def checked(self, chore: "_Chore[T]") -> "_Chore[T]":
        """Return a chore that raises `NotPrimaryError` in a transaction in which the lease is another server's."""
        lease = self._lease
        if lease is None:
            return chore

        def run(unit: UnitOfWork) -> T | Unfinished[T]:
            lease.check()
            result = chore(unit)
            return Unfinished(self.checked(result.function)) if isinstance(result, Unfinished) else result

        return run
