"""Who asks: what is known about the sender of a request, from the edge to the rules."""

import msgspec

from ocsgw.protocol.requests import ClientKind

ANONYMOUS = ""


class RequestContext(msgspec.Struct, frozen=True):
    """The sender of a request, made once where it enters OCS.

    `principal` is the known sender, `ANONYMOUS` without one (http.md section 13). `client` is the kind of client
    (protocol.md section 2), `agent_id` the agent of a desktop, `tenant` the tenant that a session is bound to, None for
    every one. `peer` is the address of the client, for the audit log and for limits. `base_uri` is what
    `GSW_RECORD_URI` begins with, None without an HTTP listener (H65, H68). `largest_answer` is how many bytes an event
    for the sender may have on the wire (P64). `session` numbers the connection of a desktop or third-party application,
    0 over HTTP; `link` numbers the one to HTTP Proxy, 0 without one.
    """

    principal: str = ANONYMOUS
    client: ClientKind = "http_proxy"
    agent_id: str = ""
    tenant: str | None = None
    peer: str = ""
    base_uri: str | None = None
    largest_answer: int = 2 << 20
    session: int = 0
    link: int = 0


# A sender of which nothing is known: chores, tests, and tools.
NOBODY = RequestContext()
