"""What web clients are told of the outbox: types of events, and a page of them on its way to HTTP Proxy."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from ocsgw.protocol.requests import REQUESTS

_REQUESTS = (
    "AddRecord",
    "PreviewRecordRequest",
    "UpdateCallCompletionStats",
    "RecordProcessed",
    "RecordReschedule",
    "ScheduledRecordReschedule",
    "RecordReject",
    "RequestRecordCancel",
    "DoNotCall",
)
_GROUPS = ("CampaignLoaded", "CampaignStarted", "CampaignStopped", "CampaignUnloaded", "CampaignModeChanged")
# Occasions that are no requests, as the outbox calls them.
OCCASIONS: Mapping[str, str] = MappingProxyType(
    {
        "record_timeout": "RecordTimeout",
        "group unloaded": "GroupUnloaded",
        "overdue callback": "OverdueCallback",
        "pre-dial validation": "PreDialValidation",
    }
)
EVENT_TYPES = (*_REQUESTS, *OCCASIONS.values(), *_GROUPS)
# Tells a client that something is missing before what follows.
MISSED = "EventsMissed"

# Spellings in lower case; those of requests have their aliases too.
_SPELLINGS = {each.lower(): each for each in EVENT_TYPES} | {
    alias.lower(): name for name in _REQUESTS for alias in REQUESTS[name].aliases
}


def type_named(written: str) -> str | None:
    """Return the type of event with this name, in any case, or None if there is none."""
    return _SPELLINGS.get(written.lower())


class StreamedEvent(msgspec.Struct, array_like=True):
    """An event of the outbox: its number, its type, the DBIDs of list and campaign group (0: none), a JSON object."""

    number: int
    type: str
    list_dbid: int
    group_dbid: int
    data: str


class EventPage(msgspec.Struct, array_like=True):
    """What follows on a number: `first` is the number from which on everything is here, `last` the one to go on from.

    `first` is beyond the next number where entries are not kept any more; `last` is before the number asked for if
    that was never given. `more` says that there is more.
    """

    first: int
    last: int
    more: bool
    events: list[StreamedEvent]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EventPage).decode


def page_text(page: EventPage) -> str:
    """Return a page as the one text that crosses the link."""
    return _encode(page).decode("utf-8")


def read_page(text: str) -> EventPage:
    """Return the page in a text. Raises `msgspec.MsgspecError`."""
    return _decode(text)
