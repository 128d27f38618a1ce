"""The role of one server of a pair: primary while it has the lease of the store, backup else (C80 to C88)."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.config import Config
from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError
from ocsgw.control.errors import ControlError
from ocsgw.logs import say
from ocsgw.ocs.clocks import Clocks
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.objects import differences, objects_of
from ocsgw.ocs.store_service import StoreService
from ocsgw.periodic import Periodic
from ocsgw.store.errors import NotPrimaryError, StoreError
from ocsgw.store.lease import Lease, LeaseKeeper

# The lease is looked at, or found to be due, so often: in an interval, and at least once in so many seconds.
_ROUNDS = 4
_LONGEST_ROUND = 0.25
# Whether the other server has taken over is asked so often (seconds).
_ASK_EVERY = 0.1


class Pair(Service):
    """Takes the lease when it has lapsed, and gives up serving before it does.

    `settled` returns a Deferred that fires when everything that runs only while OCS is active has ended its work.
    """

    name = "role"
    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        life_cycle: LifeCycle,
        store: StoreService,
        lease: LeaseKeeper,
        settled: "Callable[[], Deferred[None]]",
    ) -> None:
        self._context = context
        self._options = context.config.ha
        self._life_cycle = life_cycle
        self._store = store
        self._lease = lease
        self._settled = settled
        self._clock = context.reactor
        self._is_primary = False
        self._epoch = 0
        # A round or a switch-over is under way.
        self._is_busy = False
        self._renewing = False
        self._look_at = 0.0
        # Until then the other server has the right to the lease.
        self._yields_until = 0.0
        self._seen: Lease | None = None
        self._compared: tuple[str, str] | None = None
        self._namesake = False
        self._odd = False
        self.trouble: str | None = None
        self._clocks = Clocks(context.wall_clock)
        self._ticker = Periodic("lease", self._tick, context.reactor)
        lease.objects = objects_of(context.config)

    # What others may know.

    @property
    def role(self) -> str:
        """As in `ocsctl status`."""
        return "primary" if self._is_primary else "backup"

    def partners(self) -> dict[str, str | None]:
        """Return the names of `primary` and `standby`, None where there is none as far as this server knows."""
        ours, seen = self._options.name, self._seen
        if self._is_primary:
            return {"primary": ours, "standby": seen.standby if seen is not None else None}
        primary = seen.holder if seen is not None and seen.remaining > 0 and not seen.is_ours else None
        return {"primary": primary, "standby": ours}

    def gateways(self) -> None:
        """One of both serves."""
        return

    def lease(self) -> dict[str, Any] | None:
        """Return `epoch` and `remaining` seconds of the lease, whoever has it; None before it was looked at."""
        if self._is_primary:
            return {"epoch": self._epoch, "remaining": max(0.0, self._lease.remaining or 0.0)}
        seen = self._seen
        return {"epoch": seen.epoch, "remaining": max(0.0, seen.remaining)} if seen is not None else None

    def check_primary(self) -> None:
        """Raise `ControlError` if this server is the backup."""
        if not self._is_primary:
            primary = self.partners()["primary"]
            where = f"{primary} is the primary; ask that one" if primary else "no server of the pair is the primary"
            raise ControlError(f"this server is the backup; {where}")

    def use(self, config: Config) -> None:
        """Compare the objects of another configuration with those of the other server (C88)."""
        self._lease.objects = objects_of(config)

    # Life.

    def startService(self) -> None:
        """Begin to look after the lease."""
        super().startService()
        self._ticker.start(min(self._options.renew_interval / _ROUNDS, _LONGEST_ROUND), now=True)

    @inlineCallbacks
    def stopService(self) -> Any:
        """Give the lease up: everything that serves has stopped before."""
        super().stopService()
        self._ticker.stop()
        if self._is_primary:
            self._is_primary = False
            yield self._give_up()

    def _tick(self) -> "Deferred[None] | None":
        if self._is_primary:
            self._stay()
            return None
        if self._is_busy or self._life_cycle.state != "standby":
            return None
        self._is_busy = True
        round_: Deferred[None] = self._stand_by()
        return round_.addBoth(self._end_round)

    def _end_round(self, result: Any) -> Any:
        self._is_busy = False
        return result

    # As primary.

    def _stay(self) -> None:
        """Renew the lease when that is due; stop serving before it lapses (C83)."""
        remaining = self._lease.remaining
        if remaining is None:
            self._step_down("another server has it, or it has lapsed")
        elif remaining <= self._options.renew_interval:
            passed = self._options.lease_time - remaining
            self._step_down(f"it could not be renewed for {passed:.1f} s")
        elif not self._renewing and (
            # No transaction of the work has renewed it; or it is time to see who stands by.
            self._options.lease_time - remaining >= self._options.renew_interval
            or self._clock.seconds() >= self._look_at
        ):
            self._renewing = True
            self._look_at = self._clock.seconds() + self._options.lease_time
            self._clocks.asked()
            self._store.run(self._renew_and_look).addBoth(self._renewed)

    def _renew_and_look(self) -> Lease:
        self._lease.renew()
        return self._lease.look()

    def _renewed(self, result: Lease | Failure) -> None:
        self._renewing = False
        if isinstance(result, Failure):
            # What comes of it is seen by the time that is left.
            result.trap(StoreFailureError, RefusedByTableError)
        else:
            self._seen = result
            self._clocks.compare(result.now)

    def _step_down(self, reason: str) -> None:
        self._lease.drop()
        self._is_primary = False
        self._store.dispatcher.available = False
        say(self._log, 93220, reason=reason)
        say(self._log, 93012)
        self._life_cycle.deactivate()

    @inlineCallbacks
    def _give_up(self) -> Any:
        """Let the other server have the lease at once."""
        self._store.dispatcher.available = False
        try:
            yield self._store.run(self._lease.hand_over)
        except StoreFailureError:
            # It lapses by itself.
            self._lease.drop()
        say(self._log, 93012)

    @inlineCallbacks
    def switch_over(self) -> Any:
        """Drain, hand the lease over, and wait until the other server has it."""
        self.check_primary()
        if self._is_busy or self._life_cycle.state != "active":
            is_under_way = self._is_busy and self._life_cycle.state != "stopping"
            raise ControlError(
                "this server is switching over already" if is_under_way else f"OCS is {self._life_cycle.state}"
            )
        self._is_busy = True
        try:
            seen = yield self._store.run(self._lease.look)
            if seen.standby is None:
                raise ControlError("no other server is ready to take over; start the backup, or see its log")
            say(self._log, 93221, standby=seen.standby)
            self._life_cycle.deactivate()
            yield self._settled()
            if not self._is_primary or not self.running:
                raise ControlError("the lease was lost during the switch-over; see the log")
            self._is_primary = False
            self._yields_until = self._clock.seconds() + self._options.lease_time
            yield self._give_up()
            primary = yield self._wait_for_other()
        except StoreFailureError as error:
            raise ControlError(f"the store fails: {error}") from error
        finally:
            self._is_busy = False
        if primary is None:
            raise ControlError(
                f"{seen.standby} did not take over within {self._options.lease_time:g} s; this server serves again"
            )
        return {"primary": primary}

    @inlineCallbacks
    def _wait_for_other(self) -> Any:
        while self.running and self._clock.seconds() < self._yields_until:
            seen = yield self._store.run(self._lease.look)
            if seen.remaining > 0 and not seen.is_ours:
                self._seen = seen
                return seen.holder
            yield deferLater(self._clock, _ASK_EVERY)
        return None

    # As backup.

    @inlineCallbacks
    def _stand_by(self) -> Any:
        """Look at the lease, and take it if it has lapsed."""
        self._clocks.asked()
        try:
            seen = self._seen = yield self._store.run(self._lease.look)
            self._store.recovered()
            self._clocks.compare(seen.now)
            self._judge(seen)
            self._compare(seen)
            if seen.remaining <= 0 and self._clock.seconds() >= self._yields_until and self._may_take():
                taken = yield self._store.run(self._lease.take)
                if taken:
                    yield self._become_primary(seen.epoch + 1)
        except (StoreFailureError, StoreError, RefusedByTableError) as error:
            if self.trouble is None:
                say(self._log, 93222, reason=str(error))
            self.trouble = str(error)
        else:
            self.trouble = None

    def _may_take(self) -> bool:
        return bool(self.running) and self._life_cycle.state == "standby"

    @inlineCallbacks
    def _become_primary(self, epoch: int) -> Any:
        """Open the tables, as at a start, then serve (C85)."""
        try:
            yield self._store.take(self._context.directory)
        except Exception as error:
            # Perhaps the other server is better off.
            self._yields_until = self._clock.seconds() + self._options.lease_time
            yield self._give_up()
            raise StoreError(f"the tables cannot be opened: {error}") from error
        remaining = self._lease.remaining
        if remaining is None or remaining <= self._options.renew_interval or not self._may_take():
            self._lease.drop()
            raise NotPrimaryError("the lease has lapsed while the tables were opened")
        self._is_primary, self._epoch = True, epoch
        self._store.dispatcher.available = True
        say(self._log, 93011)
        say(self._log, 93223, name=self._options.name, epoch=epoch)
        self._life_cycle.activate()

    def _judge(self, seen: Lease) -> None:
        """Report a lease that no server has written. A primary that lives has the time to renew it."""
        if seen.is_odd and not self._odd:
            say(self._log, 93236)
            self._yields_until = self._clock.seconds() + self._options.lease_time
        self._odd = seen.is_odd

    def _compare(self, seen: Lease) -> None:
        """Report what differs from the primary, once (C88)."""
        if seen.remaining <= 0 or seen.is_ours:
            return
        namesake = seen.holder == self._options.name
        if namesake and not self._namesake:
            say(self._log, 93224, name=seen.holder)
        self._namesake = namesake
        both = (self._lease.objects, seen.objects)
        if both != self._compared:
            self._compared = both
            for difference in differences(*both):
                say(self._log, 93225, primary=seen.holder, difference=difference)
