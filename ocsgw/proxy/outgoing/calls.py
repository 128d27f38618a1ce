"""Outgoing calls: one POST for each, one verdict on each (outgoing.md section 1, protocol.md section 8)."""

import time
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, inlineCallbacks
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    FileBodyProducer,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from ocsgw.guard import contain
from ocsgw.logs import say
from ocsgw.protocol.client_settings import ClientSettings, ClientTlsSettings
from ocsgw.protocol.messages import KV, Settings, Validate, Verdict
from ocsgw.proxy.outgoing.bodies import decode_answer, encode_call
from ocsgw.proxy.outgoing.connections import Endpoints, TunnelError
from ocsgw.proxy.outgoing.heads import ConnectionPool, HeadTooLargeError
from ocsgw.proxy.outgoing.signature import signature_headers
from ocsgw.proxy.translation.charset import Encoding, encoding_of_option
from ocsgw.tls.client import ClientOptions, ClientTls
from ocsgw.tls.pem import KeyPair

_LARGEST_ANSWER = 64 << 10
_USED = frozenset({200, 409})
# Unless OCS says otherwise.
_DEFAULT = ClientSettings(response_timeout_ms=10_000, pool_size=5)


class OutgoingCalls:
    """Makes the calls that OCS orders; `reply` takes the verdict on each, exactly one (P110)."""

    _log = Logger()

    def __init__(
        self, reactor: Any, reply: Callable[[Verdict], None], wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._wall_clock = wall_clock
        self._reactor = reactor
        self._reply = reply
        self._clients: dict[str, _Client] = {}
        self._encoding: Encoding | None = None

    def use(self, settings: Settings) -> None:
        """Use settings from the next call on. Raises `TlsError`; then nothing has changed."""
        custom = dict(settings.http_custom_headers)
        validation, notifications = settings.client or _DEFAULT, settings.notifications or _DEFAULT
        wanted: dict[str, tuple[ClientSettings, Mapping[str, str]]] = {
            "validation": (validation, {}),
            "campaign_group_state": (notifications, {}),
            "history": (notifications, {}),
            "contact_processed": (notifications, custom),
        }
        clients = {}
        for purpose, (client, headers) in wanted.items():
            known = self._clients.get(purpose)
            same = known is not None and known.made_of == (client, headers)
            clients[purpose] = (
                known if known is not None and same else _Client(self._reactor, client, headers, self._wall_clock)
            )
        replaced = [each for purpose, each in self._clients.items() if clients[purpose] is not each]
        self._clients, self._encoding = clients, encoding_of_option(settings.encoding)
        for each in replaced:
            each.close()

    def call(self, order: Validate) -> None:
        """Make a call. Whatever happens to it is its verdict."""
        try:
            client = self._clients[order.purpose]
            content_type, body = encode_call(order.data, order.purpose, self._encoding)
            done = client.post(order.uri, content_type, body, order.timeout_ms / 1000)
        except Exception:  # noqa: BLE001 - it concerns this call alone
            contain(self._log, "outgoing call", order.purpose)
            self._reply(Verdict(ref=order.ref, outcome="failed", status=None, data={}, reason="protocol"))
            return
        done.addCallbacks(self._answered, self._failed, callbackArgs=(order,), errbackArgs=(order,))
        done.addErrback(lambda reason: self._defect(reason, order))

    def close(self) -> None:
        """Close the kept connections."""
        for each in self._clients.values():
            each.close()

    def _answered(self, answer: "tuple[int, bytes, str | None]", order: Validate) -> None:
        status, body, content_type = answer
        data: KV = decode_answer(body, content_type, self._encoding) if status in _USED else {}
        if status == 200:
            verdict = Verdict(ref=order.ref, outcome="positive", status=status, data=data)
        elif status == 409:
            verdict = Verdict(ref=order.ref, outcome="negative", status=status, data=data)
        else:
            verdict = Verdict(ref=order.ref, outcome="failed", status=status, data={}, reason="status")
        self._reply(verdict)

    def _failed(self, reason: Failure, order: Validate) -> None:
        why, text = why_failed(reason)
        self._reply(Verdict(ref=order.ref, outcome="failed", status=None, data={}, reason=why, text=text))

    def _defect(self, reason: Failure, order: Validate) -> None:
        say(self._log, 93110, place="outgoing call", context=order.purpose, log_failure=reason)
        self._reply(Verdict(ref=order.ref, outcome="failed", status=None, data={}, reason="protocol"))


class _Client:
    """The calls of one kind: their connections, and at most `pool_size` of them at a time for each host (O3, O9)."""

    def __init__(
        self,
        reactor: Any,
        settings: ClientSettings,
        headers: Mapping[str, str],
        wall_clock: Callable[[], float],
    ) -> None:
        self._wall_clock = wall_clock
        self.made_of = (settings, headers)
        self._reactor = reactor
        self._settings = settings
        self._headers = {**dict(settings.headers), **headers}
        self._tls = ClientTls(_options(settings.tls or ClientTlsSettings()))
        self._pool = ConnectionPool(reactor)
        self._pool.maxPersistentPerHost = settings.pool_size
        # A call that may be repeated is repeated here, in the way of O5.
        self._pool.retryAutomatically = False
        self._places: dict[tuple[bytes, bytes, int], DeferredSemaphore] = {}

    def close(self) -> None:
        """Close kept connections that nothing uses."""
        self._pool.closeCachedConnections()

    def post(
        self, uri: str, content_type: bytes, body: bytes, timeout: float
    ) -> "Deferred[tuple[int, bytes, str | None]]":
        """Return a Deferred with status, body and content type of the answer; a wait for a connection counts, too."""
        target = URI.fromBytes(uri.encode("ascii"))
        place = self._places.setdefault(
            (target.scheme, target.host, target.port), DeferredSemaphore(self._settings.pool_size)
        )
        key = self._settings.signing_key
        signature = signature_headers(key, body, self._wall_clock()) if key is not None else {}
        headers = Headers({name: [value] for name, value in {**self._headers, **signature}.items()})
        headers.setRawHeaders(b"Content-Type", [content_type])
        timed_out, waits = False, True

        def begin() -> "Deferred[Any]":
            nonlocal waits
            waits = False
            began: Deferred[Any] = self._post(target, headers, body)
            return began

        done: Deferred[Any] = place.run(begin)

        def give_up() -> None:
            nonlocal timed_out
            timed_out = True
            done.cancel()

        late = self._reactor.callLater(timeout, give_up)

        def settled(result: Any) -> Any:
            if late.active():
                late.cancel()
            if timed_out and isinstance(result, Failure):
                return Failure(_NoConnectionError() if waits else CancelledError())
            return result

        return done.addBoth(settled)

    @inlineCallbacks
    def _post(self, target: URI, headers: Headers, body: bytes) -> Any:
        endpoints = Endpoints(self._reactor, self._tls, self._settings.http_proxy)
        try:
            response = yield self._request(endpoints, target, headers, body)
        except (ResponseNeverReceived, RequestTransmissionFailed) as error:
            if endpoints.connected or why_failed(Failure(error))[0] == "timeout":
                raise
            # A kept connection was closed by the server. Its neighbours may be as old.
            self._pool.closeCachedConnections()
            response = yield self._request(endpoints, target, headers, body)
        content = yield _read(response)
        content_types = response.headers.getRawHeaders("Content-Type", [None])
        return response.code, content, content_types[0]

    def _request(self, endpoints: Endpoints, target: URI, headers: Headers, body: bytes) -> "Deferred[IResponse]":
        agent = Agent.usingEndpointFactory(self._reactor, endpoints, self._pool)
        producer = FileBodyProducer(BytesIO(body), cooperator=_AtOnce())
        asked: Deferred[IResponse] = agent.request(b"POST", target.toBytes(), headers, producer)
        return asked


class _NoConnectionError(Exception):
    """All connections were in use until the time was over (O3)."""


class _AtOnce:
    """Sends a body in one go: bodies are small, and wait for no turn of the reactor."""

    def cooperate(self, iterator: Any) -> "_AtOnce":
        """Run an iterator to its end."""
        for _ in iterator:
            pass
        return self

    def whenDone(self) -> "Deferred[None]":  # noqa: N802 - Twisted's
        """It is done already."""
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def stop(self) -> None:
        """It is done already."""

    pause = resume = stop


class _Body(Protocol):
    """Collects the body of an answer; of one that is too long nothing is used, and its connection is closed (O6)."""

    transport: Any

    def __init__(self, done: "Deferred[bytes]") -> None:
        self._done = done
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """Take a part."""
        self._size += len(data)
        if self._size > _LARGEST_ANSWER:
            self._parts.clear()
            if not self._done.called:
                self._done.callback(b"")
                self.transport.abortConnection()
        else:
            self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It has come to its end, or was cut off."""
        if self._done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self._done.callback(b"".join(self._parts))
        else:
            self._done.errback(reason)

    def abort(self) -> None:
        """Give up."""
        self.transport.abortConnection()


def _read(response: IResponse) -> "Deferred[bytes]":
    done: Deferred[bytes] = Deferred(lambda _: body.abort())
    body = _Body(done)
    response.deliverBody(body)
    return done


def _options(tls: ClientTlsSettings) -> ClientOptions:
    pair = None
    if tls.certificate is not None and tls.certificate_key is not None:
        pair = KeyPair(tls.certificate, tls.certificate_key)
    return ClientOptions(tls.trusted_ca, pair, tls.minimum)


def why_failed(reason: Failure) -> tuple[Any, str]:
    """Return the reason of a failed call for its verdict, and in words for the log."""
    causes = _causes(reason)
    for each in causes:
        if isinstance(each, SSL.Error | VerificationError):
            return "tls", _tls_words(each)
    first = causes[-1]
    if isinstance(first, TunnelError):
        return "connect", str(first)
    if isinstance(first, _NoConnectionError):
        return "timeout", "no connection was free in time; the server is slow, or http_connection_pool_size too small"
    if isinstance(first, HeadTooLargeError):
        return "protocol", "the header of the answer is too large"
    if isinstance(first, CancelledError):
        return "timeout", "no answer in time"
    if isinstance(reason.value, ConnectError | DNSLookupError | OSError):
        return "connect", str(reason.value)
    if isinstance(reason.value, ResponseNeverReceived | RequestTransmissionFailed):
        return "connect", "the connection was closed before an answer came"
    if isinstance(reason.value, ResponseFailed):
        return "protocol", "the answer is not complete, or not HTTP"
    return "protocol", f"the answer is not HTTP ({type(first).__name__})"


def _causes(reason: Failure) -> list[BaseException]:
    """Return an exception and those that it wraps, the innermost last."""
    found: list[BaseException] = [reason.value] if reason.value is not None else []
    for each in getattr(reason.value, "reasons", ()):
        found += _causes(each)
    return found


def _tls_words(error: BaseException) -> str:
    if isinstance(error, VerificationError):
        return "the certificate of the server is for another name"
    errors = error.args[0] if error.args else []
    said = errors[-1][2] if errors and isinstance(errors, list) else "the handshake failed"
    if "unsupported protocol" in said or "version" in said:
        return f"the server offers no version of TLS that is wanted, TLS 1.2 at least ({said})"
    return said
