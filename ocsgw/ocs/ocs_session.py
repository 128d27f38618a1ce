"""One desktop or third-party application on an `ocs` listener (protocol.md sections 3 and 6)."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from twisted.logger import Logger

from ocsgw.access.limits import ClientUsage, tighter
from ocsgw.contact.directory import Directory
from ocsgw.desktop.access import ClientAccess
from ocsgw.desktop.eligibility import Eligibility
from ocsgw.guard import contain
from ocsgw.logs import say
from ocsgw.ocs.dispatch import Dispatcher, Home, Reply
from ocsgw.ocs.link import Identity, OcsEnd, Trace
from ocsgw.protocol.context import ANONYMOUS, RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.key_values import checked
from ocsgw.protocol.messages import KV, AccessLines, Bye, Drain, Event, Hello, Log, Request, Stats, Verdict
from ocsgw.protocol.requests import REQUESTS, ClientKind, RequestType, request_named
from ocsgw.protocol.sendable import UnsendableError

APPLICATIONS: frozenset[ClientKind] = frozenset({"desktop", "third_party"})
_MAX_AGENT_ID = 32
_MAX_KEY = 255
# Of what the client calls its request, so much goes into the audit log.
_MAX_REQUEST_ID = 128


class SessionListener(Protocol):
    """The port that a session came through."""

    @property
    def id(self) -> str:
        """The id of the listener."""

    @property
    def access(self) -> ClientAccess:
        """Who may use it."""

    def is_certificate_accepted(self, certificate: Any, address: str) -> bool:
        """Whether the name of a verified certificate is one that the listener takes."""

    def refused(self, address: str, bye: Bye) -> None:
        """A client was not admitted."""

    def handshake_failed(self, address: str, problem: str) -> None:
        """A client did not get through its TLS handshake."""


class SessionHost(Protocol):
    """What all sessions share."""

    @property
    def clock(self) -> Any:
        """IReactorTime."""

    @property
    def identity(self) -> Identity:
        """What OCS says about itself."""

    @property
    def directory(self) -> Directory:
        """What is configured now."""

    @property
    def dispatcher(self) -> Dispatcher:
        """What carries requests out."""

    @property
    def base_uri(self) -> str | None:
        """What `GSW_RECORD_URI` begins with now (H68)."""

    @property
    def serves(self) -> bool:
        """Whether OCS is primary and not about to stop (P87)."""

    def trace_of(self, session: "OcsSession") -> Trace | None:
        """Return what is shown the messages of a session, if that is wanted (K62)."""

    def joined(self, session: "OcsSession") -> None:
        """A client has been welcomed."""

    def left(self, session: "OcsSession") -> None:
        """A client that was welcomed is gone."""

    def own_request(self, session: "OcsSession", known: RequestType, data: KV) -> KV | None:
        """Return the answer to a request that needs no store, None for all others. Raises `Refusal`."""


class OcsSession:
    """One connection; `number` names it. `context` says who it is, once it has been welcomed.

    `gone` is called with it when the connection is lost.
    """

    _log = Logger()

    def __init__(
        self,
        host: SessionHost,
        listener: SessionListener,
        number: int,
        address: str,
        usage: ClientUsage,
        gone: Callable[["OcsSession"], object],
    ) -> None:
        self.number = number
        self.address = address
        self.eligibility = Eligibility(number)
        self.is_draining = False
        self._host = host
        self._listener = listener
        self._usage = usage
        self._gone = gone
        self._joined = False
        self._end = OcsEnd(
            self,
            self,
            host.identity,
            host.clock,
            accepts=APPLICATIONS,
            session=number,
            peer=f"client {address}",
            trace=host.trace_of(self),
            admit=self._admit,
            close_when_full=True,
        )
        self.protocol = self._end.protocol

    @property
    def context(self) -> RequestContext:
        """Who the client is, with the record URI of now."""
        context = self._end.context
        if context is None:
            raise LookupError("a session has a context from its welcome on")
        base_uri = self._host.base_uri
        if context.base_uri != base_uri:
            context = self._end.context = msgspec.structs.replace(context, base_uri=base_uri)
        return context

    @property
    def agent_id(self) -> str:
        """The agent of a desktop, empty for a third-party application."""
        return self.context.agent_id

    @property
    def title(self) -> str:
        """What the log calls the client."""
        return self._end.peer

    @property
    def in_work(self) -> int:
        """How many requests have no answer yet."""
        return self._end.in_work

    # What OCS says.

    def notify(self, data: KV) -> None:
        """Send an event that answers no request (P30)."""
        try:
            self._end.send(Event(data=data))
        except UnsendableError:
            contain(self._log, "event", self.title)

    def drain(self, timeout: float, reason: str) -> None:
        """Announce the end, once; what is in work is answered, nothing new is begun (P91)."""
        if self.is_draining:
            return
        self.is_draining = True
        self._end.send(Drain(timeout_ms=int(timeout * 1000), reason=reason))
        self.leave_when_done()

    def leave_when_done(self) -> None:
        """Say goodbye if nothing is in work any more."""
        if self.is_draining and not self._end.in_work:
            self.end("another server, or this one later, goes on")

    def end(self, reason: str) -> None:
        """Say goodbye; the client may try elsewhere."""
        self._end.end("not_primary", reason)

    def use_trace(self) -> None:
        """Trace messages, or no longer, as the configuration says now."""
        self._end.use_trace(self._host.trace_of(self))

    # Requests.

    def handle_together(self, requests: list[Request], at: int, context: RequestContext, home: Home) -> int:
        """Return that each request is looked at."""
        return 0

    def handle(self, request: Request, context: RequestContext, reply: Reply) -> None:
        """Check a request, and answer it or pass it on."""
        dispatcher = self._host.dispatcher

        def answered(event: Event) -> None:
            reply(event)
            if self.is_draining:
                self.leave_when_done()

        try:
            known, data = self._checked(request)
            own = self._host.own_request(self, known, data)
        except Refusal as refusal:
            dispatcher.refuse(request, refusal, answered)
            return
        if own is not None:
            dispatcher.answer(request, known, own, answered)
            return
        passed = Request(
            ref=request.ref,
            data=data,
            deadline_ms=request.deadline_ms,
            idempotency_key=request.idempotency_key,
            request_id=request.request_id[:_MAX_REQUEST_ID] if request.request_id else None,
        )
        dispatcher.handle(passed, self.context, answered)

    def _checked(self, request: Request) -> tuple[RequestType, KV]:
        """Return what a request asks for. Raises `Refusal`."""
        if self.is_draining:
            raise Refusal("unavailable")
        usage, context = self._usage, self.context
        quota = tighter(usage.request(), usage.request_of(context.principal) if context.principal else None)
        if quota is not None and quota.wait is not None:
            raise Refusal("too_many_requests")
        known = request_named(request.data.get("GSW_AGENT_REQ_TYPE"))
        if context.client not in known.clients:
            raise Refusal("forbidden")
        missing = self._host.directory.permissions_of(context.principal).missing_for_action(known.name)
        if missing is not None:
            raise Refusal("forbidden", missing=missing)
        key = request.idempotency_key
        if key is not None and not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
            raise Refusal("invalid_key")
        data = checked(known, request.data)
        if context.tenant is not None:
            self._keep_to_tenant(known, data, context.tenant)
        return known, data

    def _keep_to_tenant(self, known: RequestType, data: KV, tenant: str) -> None:
        """Refuse what belongs to another tenant than that of the session; records are checked by the rules."""
        directory = self._host.directory
        calling_list = directory.list_named(data.get("GSW_CALLING_LIST"))
        campaign = directory.campaign_named(data.get("GSW_CAMPAIGN_NAME"))
        group = directory.group_by_dbid(data.get("GSW_CAMPAIGN_GROUP_DBID"))
        of_group = group.campaign if group is not None else None
        touched = [each.tenant.name for each in (calling_list, campaign, of_group) if each is not None]
        if "phones" in known.attributes and "GSW_RECORD_HANDLE" not in data:
            named = directory.tenant(data.get("GSW_TENANT_DBID"), data.get("GSW_TENANT_NAME"))
            if named is not None:
                touched.append(named.name)
            else:
                data["GSW_TENANT_NAME"] = tenant
        if any(each != tenant for each in touched):
            raise Refusal("forbidden", missing="tenant")

    # Who the client is.

    def _admit(self, hello: Hello) -> Bye | None:
        bye = self._judge(hello)
        if bye is not None:
            self._listener.refused(self.address, bye)
        return bye

    def _judge(self, hello: Hello) -> Bye | None:
        """Settle who the client is; return the goodbye for one that may not come in."""
        if not self._host.serves:
            return Bye(code="not_primary", text="this server is not active")
        try:
            subject = self._subject()
        except PermissionError as error:
            return Bye(code="unauthorized", text=str(error))
        principal = self._listener.access.principal_of(hello.key, subject)
        if principal is None:
            return Bye(code="unauthorized", text="an API key or a client certificate is needed")
        if principal != ANONYMOUS and not self._usage.identify(principal):
            return Bye(code="refused", text="this principal has enough connections")
        agent_id = (hello.agent_id or "") if hello.client == "desktop" else ""
        if len(agent_id) > _MAX_AGENT_ID or "\0" in agent_id:
            return Bye(code="refused", text=f"agent_id has more than {_MAX_AGENT_ID} characters, or is not text")
        tenant = None
        if hello.tenant is not None:
            try:
                found = self._host.directory.tenant(None, hello.tenant)
            except Refusal:
                return Bye(code="refused", text="the tenant is not configured")
            if found is not None:
                tenant = found.name
                if self._host.directory.permissions_of(principal).missing_for_tenant(tenant) is not None:
                    return Bye(code="unauthorized", text="the principal may not use this tenant")
        transport = self.protocol.transport
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        self._end.context = RequestContext(
            principal,
            hello.client,
            agent_id=agent_id,
            tenant=tenant,
            peer=self.address,
            base_uri=self._host.base_uri,
            largest_answer=self._host.identity.limits.frame,
            session=self.number,
        )
        who = f"desktop of agent {agent_id}" if agent_id else "third-party application"
        self._end.peer = f"{who} at {self.address}" + (f", {hello.name[:64]}" if hello.name else "")
        return None

    def _subject(self) -> str | None:
        """Return the subject of the client's verified certificate, None without one.

        Raises `PermissionError` for one that the listener does not take.
        """
        transport = self.protocol.transport
        handle = getattr(transport, "getHandle", None)
        find = getattr(transport, "getPeerCertificate", None)
        if find is None or handle is None:
            return None
        # OpenSSL is loaded only where TLS is used.
        from OpenSSL import SSL  # noqa: PLC0415

        from ocsgw.tls.client_names import UnreadableCertificateError, client_certificate  # noqa: PLC0415
        from ocsgw.tls.pem import subject_of  # noqa: PLC0415

        if handle().get_verify_mode() == SSL.VERIFY_NONE:
            return None
        presented = find()
        if presented is None:
            return None
        try:
            with client_certificate():
                certificate = presented.to_cryptography()
                accepted = self._listener.is_certificate_accepted(certificate, self.address)
                subject = subject_of(certificate)
        except UnreadableCertificateError as error:
            raise PermissionError(f"the certificate cannot be read: {error}") from None
        if not accepted:
            raise PermissionError("the certificate has no name that client_names or its address allows")
        return subject

    # What the connection reports.

    def greeted(self, hello: Hello) -> None:
        """The client has been welcomed."""
        self._joined = True
        say(
            self._log,
            93234,
            client=self.title,
            listener=self._listener.id,
            principal=self.context.principal or "-",
            session=self.number,
        )
        self._host.joined(self)

    def said_bye(self, bye: Bye) -> None:
        """The client leaves."""
        self._end.leave(f"it said goodbye: {bye.code}")

    def frozen(self) -> None:
        """The client does not answer; its connection is cut."""

    def link_lost(self, reason: str) -> None:
        """The connection is gone; what the agent holds stays until `record_timeout` (P92)."""
        self._usage.leave()
        self._gone(self)
        if self._end.context is None:
            self._report_handshake(reason)
        if self._joined:
            self._joined = False
            say(self._log, 93235, client=self.title, session=self.number, reason=reason)
            self._host.left(self)

    def _report_handshake(self, reason: str) -> None:
        """Log why a client did not get as far as its hello, if TLS was the reason."""
        handle = getattr(self.protocol.transport, "getHandle", None)
        if handle is None:
            return
        # As above.
        from ocsgw.tls.failures import problem_in  # noqa: PLC0415

        problem = problem_in(handle(), reason)
        if problem is not None:
            self._listener.handshake_failed(self.address, problem)

    def ready(self, port: int, interface: str) -> None:
        """Only HTTP Proxies say so."""

    def log_lines(self, message: Log) -> None:
        """Only HTTP Proxies send lines."""

    def access_lines(self, message: AccessLines) -> None:
        """Only HTTP Proxies send lines."""

    def verdict(self, verdict: Verdict) -> None:
        """Only HTTP Proxy makes calls."""

    def counted(self, stats: Stats) -> None:
        """Only HTTP Proxies count."""

    def news_wanted(self) -> None:
        """Only HTTP Proxies have event streams."""

    def port_handed(self, descriptor: int) -> None:
        """Only HTTP Proxies have a port."""


STATUS = REQUESTS["CampaignStatusRequest"]


def accepts_certificate(listener: Any, certificate: Any, address: str) -> bool:
    """Whether a configured listener takes the name of a verified certificate."""
    tls = listener.tls
    by_address = tls.tls_target_name_check == "host"
    # As above.
    from ocsgw.tls.client_names import is_accepted  # noqa: PLC0415

    return is_accepted(certificate, address, tls.client_names, by_address=by_address)
