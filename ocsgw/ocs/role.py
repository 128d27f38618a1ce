"""What decides whether this OCS serves: with a single server it always does."""

from twisted.application.service import Service

from ocsgw.ocs.life_cycle import LifeCycle


class SingleServer(Service):
    """The role of a server without a partner: active as soon as it can be.

    The role service of a pair takes its place: it calls `activate` and `deactivate` of the life cycle as leases come
    and go, and has the same two members.
    """

    name = "role"
    # As in `ocsctl status`: primary or backup.
    role = "primary"

    def __init__(self, life_cycle: LifeCycle) -> None:
        self._life_cycle = life_cycle

    def startService(self) -> None:
        """Serve as soon as the store is open."""
        super().startService()
        self._life_cycle.activate()
