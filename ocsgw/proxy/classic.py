"""The classic surface: requests of clients into requests to OCS, and what comes back (http.md sections 3 to 13)."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.http.exchange import Deliver, Exchange, Gateway
from ocsgw.proxy.policy.body_memory import BodyMemory
from ocsgw.proxy.policy.fairness import LARGE, LargeBodies
from ocsgw.proxy.policy.reports import report_failure
from ocsgw.proxy.policy.request_policy import RequestPolicy


class ClassicSurface:
    """The route of everything that is not mounted. `policy` may be replaced at any time."""

    methods = b"POST"

    _log = Logger()

    def __init__(
        self, policy: RequestPolicy, gateway: Gateway, clock: IReactorTime, body_memory: BodyMemory[object]
    ) -> None:
        self.policy = policy
        self._gateway = gateway
        self._large = LargeBodies(clock, body_memory)

    def check(self, exchange: Exchange) -> Refusal | None:
        """Return the refusal that the head earns (checks 2 to 8)."""
        return self.policy.check_head(exchange)

    def handle(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        """Bring an admitted request with its whole body to OCS, or deliver why not (checks 10 to 13)."""
        if len(body) < LARGE:
            self._carry(exchange, body, deliver)
        else:
            self._large.take(
                exchange,
                len(body),
                lambda: self._carry(exchange, body, deliver),
                lambda refusal: deliver(exchange, refusal),
            )

    def forget(self, exchange: Exchange, reason: Failure) -> None:
        """What was handed over to OCS is carried out all the same (H351)."""

    def stop(self) -> None:
        """Carry out at once what waits for its turn."""
        self._large.stop()

    def _carry(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        try:
            data = self.policy.read_body(exchange, body)
            refusal = self._gateway.submit(exchange, data, deliver)
        except Refusal as refused:
            refusal = refused
        except Exception:  # noqa: BLE001 - a defect ends one request, not the connection
            report_failure(self._log, exchange)
            refusal = Refusal("internal")
        if refusal is not None and exchange.outcome is None:
            deliver(exchange, refusal)
