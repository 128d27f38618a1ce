"""What decides whether this OCS serves: a single server always does, one of a pair with its lease (`pair.py`).

Where several serve at once, each always does, too (`gateway.py`).
"""

from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail

from ocsgw.config import Config
from ocsgw.control.errors import ControlError
from ocsgw.ocs.life_cycle import LifeCycle


class Role(Protocol):
    """What everybody may know of the role service, and ask of it."""

    @property
    def role(self) -> str:
        """As in `ocsctl status`: primary or backup."""

    def partners(self) -> dict[str, str | None] | None:
        """Return the names of `primary` and `standby` of the pair as far as they are known; None without a pair."""

    def gateways(self) -> list[dict[str, Any]] | None:
        """Return the servers that serve the store at once, each with its `name` and whether it does the `chores`.

        None where one server serves.
        """

    def lease(self) -> dict[str, Any] | None:
        """Return `epoch` and `remaining` seconds of the lease, if it is known; None for a single server."""

    @property
    def trouble(self) -> str | None:
        """Why the lease cannot be looked after, None if all is well."""

    def check_primary(self) -> None:
        """Raise `ControlError` if this server is the backup, with the name of the primary."""

    def switch_over(self) -> "Deferred[dict[str, Any]]":
        """Let the other server take over; fires with the name of the new `primary`. Fails with `ControlError`."""


class SingleServer(Service):
    """The role of a server without a partner: active as soon as it can be."""

    name = "role"
    role = "primary"
    trouble = None

    def __init__(self, life_cycle: LifeCycle) -> None:
        self._life_cycle = life_cycle

    def startService(self) -> None:
        """Serve as soon as the store is open."""
        super().startService()
        self._life_cycle.activate()

    def partners(self) -> None:
        """Without a pair there are none."""
        return

    def use(self, config: Config) -> None:
        """Nobody else has to know."""

    def gateways(self) -> None:
        """It serves alone."""
        return

    def lease(self) -> None:
        """Without a pair there is none."""
        return

    def check_primary(self) -> None:
        """It always is."""

    def switch_over(self) -> "Deferred[dict[str, Any]]":
        """There is nobody to take over."""
        return fail(ControlError("this server has no partner; [ha] enabled is false"))
