"""The end of each TLS handshake: the principal of the client, or one line in the log (http.md H343, H321)."""

from OpenSSL import SSL
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.logs import say
from ocsgw.protocol.messages import TlsSettings
from ocsgw.tls.client_names import UnreadableCertificateError, client_certificate, is_accepted
from ocsgw.tls.failures import ServerConnection, handshake_problem
from ocsgw.tls.pem import subject_of

# How many failures get a line of their own within how many seconds; the others are counted.
_LINES = 10
_WINDOW = 60.0


class Handshakes:
    """Judges the ends of handshakes of one port by the settings of the moment.

    `clock` gives time to the limit of log lines.
    """

    _log = Logger()

    def __init__(self, tls: TlsSettings, clock: IReactorTime) -> None:
        self.tls = tls
        self._clock = clock
        self._window_began = clock.seconds()
        self._failures = 0

    def verified_name(self, connection: ServerConnection, peer: str) -> str | None:
        """Return the subject of the client's verified certificate, None without one. Raises `PermissionError`.

        `peer` is the address of the client. A certificate that the listener does not take is logged here.
        """
        if connection.get_verify_mode() == SSL.VERIFY_NONE:
            # Nobody was asked for a certificate when this connection began.
            return None
        presented = connection.get_peer_certificate()
        if presented is None:
            return None
        by_address = self.tls.tls_target_name_check == "host"
        try:
            with client_certificate():
                certificate = presented.to_cryptography()
                name = subject_of(certificate)
                accepted = is_accepted(certificate, peer, self.tls.client_names, by_address=by_address)
        except UnreadableCertificateError as error:
            self._report(peer, f"its certificate cannot be read: {error}")
            raise PermissionError from None
        if not accepted:
            self._report(peer, f"its certificate, {name}, has no name that client_names or its address allows")
            raise PermissionError
        return name

    def failed(self, connection: ServerConnection, peer: str, reason: Failure) -> None:
        """Log why a handshake failed, unless the client just went away."""
        problem = handshake_problem(connection, reason)
        if problem is not None:
            self._report(peer, problem)

    def timed_out(self, peer: str) -> None:
        """Log that a handshake was not completed in time (H27)."""
        self._report(peer, "it was not completed in time")

    def tick(self) -> None:
        """Begin a new window when the old one is over, and report how many failures had no line."""
        if self._clock.seconds() - self._window_began < _WINDOW:
            return
        silent = self._failures - _LINES
        self._window_began = self._clock.seconds()
        self._failures = 0
        if silent > 0:
            say(self._log, 93164, count=silent, window=_WINDOW)

    def _report(self, peer: str, problem: str) -> None:
        self._failures += 1
        if self._failures <= _LINES:
            say(self._log, 93163, peer=peer, problem=problem)
