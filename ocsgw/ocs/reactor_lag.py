"""How late the reactor comes to what is due: work that keeps it busy shows here before requests time out."""

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from ocsgw.counters import REACTOR_LAG_SECONDS
from ocsgw.periodic import Periodic

_EVERY = 1.0


class ReactorLag(Service):
    """Observes once a second of `clock`."""

    name = "reactor lag"

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._due = 0.0
        self._periodic = Periodic("reactor lag", self._look, clock)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._due = self._clock.seconds() + _EVERY
        self._periodic.start(_EVERY)

    def stopService(self) -> None:
        """End."""
        super().stopService()
        self._periodic.stop()

    def _look(self) -> None:
        lag = self._clock.seconds() - self._due
        REACTOR_LAG_SECONDS.observe(max(0.0, lag))
        # Rounds that were missed do not come again.
        self._due += (1 + max(0, int(lag // _EVERY))) * _EVERY
