"""A service manager that remembers what it is reported."""

from ocsgw.systemd import ServiceManager


class FakeManager(ServiceManager):
    """Remembers what it is reported."""

    def __init__(self, watchdog: float | None = None) -> None:
        super().__init__({}, 1)
        self.watchdog = watchdog
        self.told: list[dict[str, object]] = []

    def tell(self, **states: object) -> None:
        self.told.append(states)

    def take(self) -> list[dict[str, object]]:
        """Return what was reported since the last time."""
        told, self.told = self.told, []
        return told
