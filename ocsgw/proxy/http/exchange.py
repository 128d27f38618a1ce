"""One HTTP request on its way through HTTP Proxy."""

from dataclasses import dataclass

from ocsgw.access.limits import ClientUsage, Quota
from ocsgw.protocol.attributes import Value
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import Event
from ocsgw.proxy.http.grammar import Head, RequestLine
from ocsgw.proxy.policy.target import Target
from ocsgw.proxy.translation.charset import Encoding


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields and body of an answer; the connection adds its own fields.

    `framed` says that the fields already tell where the body ends.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    framed: bool = False


# How a call ends: with an event of OCS, with a refusal, or with what the resource tree has made.
Outcome = Event | Refusal | Answer

_UNKNOWN = Target(None)
NO_LINE = RequestLine(b"", b"", 1)
NO_HEAD = Head(minor=1, keep_alive=False)


class Exchange:
    """A request: what its head says, what the checks have found so far, and in the end its outcome.

    `peer` is the address of the client. `certificate` is the verified name of its certificate, None without one.
    `encoding` is that of the answer, None for UTF-8; it is settled when the body has been read (H134). `close` is true
    for the last call of a connection. `usage` counts for the limits of the client, None without limits; `quota` is what
    they leave.
    """

    __slots__ = (
        "certificate",
        "close",
        "encoding",
        "head",
        "idempotency_key",
        "line",
        "outcome",
        "peer",
        "principal",
        "quota",
        "reference",
        "target",
        "usage",
    )

    def __init__(
        self,
        line: RequestLine,
        head: Head,
        peer: str,
        encoding: Encoding | None = None,
        certificate: str | None = None,
        usage: ClientUsage | None = None,
    ) -> None:
        self.line = line
        self.head = head
        self.peer = peer
        self.encoding = encoding
        self.certificate = certificate
        self.close = not head.keep_alive
        self.target: Target = _UNKNOWN
        self.principal: str | None = None
        self.idempotency_key: str | None = None
        self.reference: Value | None = None
        self.outcome: Outcome | None = None
        self.usage = usage
        self.quota: Quota | None = None
