"""A client of the OCS protocol, for agent desktops, dialers and third-party applications (docs/client.md).

`OcsClient` is for programs on Twisted, `BlockingClient` for all others. Neither knows a rule of the server: they carry
requests and events.
"""

from ocsgw.client.answers import (
    Answer,
    NotConnectedError,
    OcsClientError,
    OutcomeUnknownError,
    RefusedError,
    RequestError,
)
from ocsgw.client.blocking import BlockingClient
from ocsgw.client.dialer import CallOutcome, Tally, dial
from ocsgw.client.http import HttpClient
from ocsgw.client.service import OcsClient

__all__ = [
    "Answer",
    "BlockingClient",
    "CallOutcome",
    "HttpClient",
    "NotConnectedError",
    "OcsClient",
    "OcsClientError",
    "OutcomeUnknownError",
    "RefusedError",
    "RequestError",
    "Tally",
    "dial",
]
