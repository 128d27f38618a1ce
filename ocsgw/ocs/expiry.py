"""Keys and certificates that are about to expire, as a service: looked at once an hour and after each reload."""

from twisted.application.service import Service

from ocsgw.config import Config
from ocsgw.ocs.certificate_expiry import CertificateExpiry
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.key_expiry import KeyExpiry
from ocsgw.periodic import Periodic

_EVERY = 3600.0


class Expiry(Service):
    """Reports them in the log while there is time to renew them."""

    name = "expiry"

    def __init__(self, context: OCSContext) -> None:
        self._context = context
        self._keys = KeyExpiry(context.wall_clock)
        self._certificates = CertificateExpiry(context.wall_clock)
        self._periodic = Periodic("expiry of keys and certificates", self._look, context.reactor)

    def startService(self) -> None:
        """Look now and from now on."""
        super().startService()
        self.use(self._context.config)
        self._periodic.start(_EVERY)

    def stopService(self) -> None:
        """Look no longer."""
        super().stopService()
        self._periodic.stop()

    def use(self, config: Config) -> None:
        """Look at the keys and certificates of a configuration."""
        self._certificates.use(config)
        self._keys.look(config.api_keys)

    def _look(self) -> None:
        self._certificates.look()
        self._keys.look(self._context.config.api_keys)
