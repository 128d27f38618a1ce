"""What servers that serve one store at once tell each other: events for desktops that are connected elsewhere.

It is written in the transaction of the change, read by the other servers some times a second, and kept for a minute. A
server that has read none for so long asks its desktops to connect again.
"""

import msgspec

from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import GroupChanged
from ocsgw.protocol.messages import KV

# So long news are kept (seconds).
KEPT = 60


class StoredNews(msgspec.Struct, array_like=True):
    """News in the store: `number` ascends, `origin` is the server that wrote it, `text` what `text_of` made."""

    number: int
    origin: str
    text: str


class _Told(msgspec.Struct, omit_defaults=True):
    event: str
    members: KV
    agents: tuple[str, ...] | None = None
    state: str = ""
    guid: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Told).decode


def text_of(news: Notice | GroupChanged) -> str:
    """Return what the other servers are told. Sessions have no meaning there."""
    if isinstance(news, Notice):
        told = _Told(news.event, news.members, news.agents)
    else:
        told = _Told(news.event, news.members, state=news.state, guid=news.guid)
    return _encode(told).decode("utf-8")


def news_of(text: str) -> Notice | GroupChanged:
    """Return what another server has told."""
    told = _decode(text)
    if told.agents is None:
        return GroupChanged(told.event, told.members, told.state, told.guid)
    return Notice(told.event, told.members, told.agents)
