"""The role of one of several servers that all serve one store at once (`[ha] mode = "active"`).

Every one of them is a primary. The lease decides which one does the chores; who has it by mistake, because it was
stopped for a while, is found out in its next transaction (`duty.py`).
"""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, inlineCallbacks
from twisted.logger import Logger

from ocsgw.config import Config
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.control.errors import ControlError
from ocsgw.logs import say
from ocsgw.ocs.clocks import Clocks
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.objects import differences, objects_of
from ocsgw.ocs.store_service import StoreService
from ocsgw.periodic import Periodic
from ocsgw.store.errors import NotPrimaryError
from ocsgw.store.lease import Lease, LeaseKeeper


class Gateway(Service):
    """Serves as soon as the store is open, takes the lease of the chores when nobody has it, and knows the others."""

    name = "role"
    role = "primary"
    _log = Logger()

    def __init__(self, context: OCSContext, life_cycle: LifeCycle, store: StoreService, lease: LeaseKeeper) -> None:
        self._options = context.config.ha
        self._life_cycle = life_cycle
        self._store = store
        self._lease = lease
        self._has_chores = False
        self.trouble: str | None = None
        self._odd = False
        self._clocks = Clocks(context.wall_clock)
        self._seen: Lease | None = None
        self._compared: tuple[str, str] | None = None
        self._ticker = Periodic("lease of the chores", self._look_after, context.reactor)
        lease.objects = objects_of(context.config)

    # What others may know.

    def partners(self) -> None:
        """There is no backup."""
        return

    def gateways(self) -> list[dict[str, Any]]:
        """Return the servers that serve the store, by name, each with whether it does the chores."""
        seen, ours = self._seen, self._options.name
        holder = seen.holder if seen is not None and seen.remaining > 0 else ""
        names = sorted({ours, holder, *(seen.ready if seen is not None else ())} - {""})
        return [{"name": name, "chores": name == holder} for name in names]

    def lease(self) -> dict[str, Any] | None:
        """Return `epoch` and `remaining` seconds of the lease of the chores; None before it was looked at."""
        seen = self._seen
        return {"epoch": seen.epoch, "remaining": max(0.0, seen.remaining)} if seen is not None else None

    def check_primary(self) -> None:
        """It always is."""

    def switch_over(self) -> "Deferred[dict[str, Any]]":
        """Nobody has to take over."""
        return fail(ControlError("all servers of this store serve at once; to take this one out, stop it"))

    def use(self, config: Config) -> None:
        """Compare the objects of another configuration with those of the other servers (C88)."""
        self._lease.objects = objects_of(config)

    # Life.

    def startService(self) -> None:
        """Serve as soon as the store is open."""
        super().startService()
        self._life_cycle.activate()
        self._ticker.start(self._options.renew_interval, now=True)

    @inlineCallbacks
    def stopService(self) -> Any:
        """Leave the chores to the others."""
        super().stopService()
        self._ticker.stop()
        if self._lease.remaining is not None:
            try:
                yield self._store.run(self._lease.hand_over)
            except StoreFailureError:
                # It lapses by itself.
                self._lease.drop()

    @inlineCallbacks
    def _look_after(self) -> Any:
        """Renew the lease, or take it if it has lapsed."""
        self._clocks.asked()
        try:
            seen = self._seen = yield self._store.run(self._renew_or_take)
        except StoreFailureError as error:
            if self.trouble is None:
                say(self._log, 93222, reason=str(error))
            self.trouble = str(error)
        else:
            self.trouble = None
            self._clocks.compare(seen.now)
            self._compare(seen)
        if self._odd:
            self._odd = False
            say(self._log, 93236)
        has_chores = (self._lease.remaining or 0.0) > 0
        if has_chores != self._has_chores:
            self._has_chores = has_chores
            say(self._log, 93226 if has_chores else 93227, name=self._options.name)

    def _renew_or_take(self) -> Lease:
        if self._lease.remaining is not None:
            try:
                self._lease.renew()
            except NotPrimaryError:
                self._lease.drop()
        seen = self._lease.look()
        self._odd = seen.is_odd
        if seen.remaining <= 0 and self.running and self._lease.take():
            seen = self._lease.look()
        return seen

    def _compare(self, seen: Lease) -> None:
        """Report what differs from the server that does the chores, once, and a name that both have (C88)."""
        if seen.is_ours or seen.remaining <= 0:
            return
        both = (self._lease.objects, seen.objects)
        if both == self._compared:
            return
        self._compared = both
        if seen.holder == self._options.name:
            say(self._log, 93224, name=seen.holder)
        for difference in differences(*both):
            say(self._log, 93225, primary=seen.holder, difference=difference)
