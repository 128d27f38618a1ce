"""Event streams in memory: a server with an outbox behind it, and what its clients see."""

import re
from typing import Any

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import EventPage, StreamedEvent, page_text
from ocsgw.protocol.messages import KV, Event
from tests.support.http import FakeGateway, HttpClient, HttpServer, HttpTestCase, request

_BLOCK = re.compile(r"(?:id: (\d+)\n)?(?:event: (\w+)\n)?(?:data: (.*)\n)?")


def ask(target: str = "/events", *fields: str, version: str = "HTTP/1.1") -> bytes:
    """Return a request for a stream."""
    return request(target, b"", *fields, method="GET", version=version)


def body_of(client: HttpClient) -> str:
    """Return the body so far of the one answer, which has to be well-formed chunks."""
    head, _, rest = client.transport.taken.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head, head
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        assert rest[int(size, 16) :][:2] == b"\r\n"
        rest = rest[int(size, 16) + 2 :]
    return body.decode()


def events_of(client: HttpClient) -> list[tuple[int, str]]:
    """Return number and type of each event so far."""
    blocks = body_of(client).split("\n\n")
    found = [_BLOCK.fullmatch(block + "\n") for block in blocks]
    return [(int(each[1]), each[2]) for each in found if each is not None and each[2]]


class Outbox(FakeGateway):
    """OCS with an outbox of events; `kept` is the number of the first that is kept."""

    def __init__(self) -> None:
        super().__init__(reply=self.answer)
        self.events: list[StreamedEvent] = []
        self.kept = 1
        self.scope: KV = {}
        self.page = 3
        self.refused: Refusal | None = None
        self.server: HttpServer | None = None

    @property
    def newest(self) -> int:
        """The number of the newest event."""
        return self.kept - 1 + len(self.events)

    def answer(self, data: KV) -> Event | Refusal:
        """Answer as OCS does."""
        if self.refused is not None:
            return self.refused
        if data["GSW_AGENT_REQ_TYPE"] == "EventStreamRequest":
            return Event(ref=1, data={"GSW_USER_EVENT": "EventStream", "GSW_EVENT_ID": self.newest, **self.scope})
        after = data["GSW_EVENT_ID"]
        assert isinstance(after, int)
        found = [each for each in self.events if each.number > after]
        if not found:
            page = EventPage(self.newest + 1, self.newest, more=False, events=[])
        else:
            shown = found[: self.page]
            page = EventPage(found[0].number, shown[-1].number, more=len(found) > len(shown), events=shown)
        return Event(ref=1, data={"GSW_USER_EVENT": "Events", "GSW_EVENTS": page_text(page)})

    def commit(self, kind: str = "AddRecord", calling_list: int = 201, group: int = 0, data: str = "{}") -> None:
        """Add an event, without telling."""
        self.events.append(StreamedEvent(self.newest + 1, kind, calling_list, group, data))

    def forget(self, count: int) -> None:
        """Keep the first events no longer."""
        del self.events[:count]
        self.kept += count

    @property
    def reads(self) -> list[int]:
        """The numbers behind which was read."""
        return [
            int(str(each["GSW_EVENT_ID"])) for each in self.requests if each["GSW_AGENT_REQ_TYPE"] == "EventsRequest"
        ]


class StreamTestCase(HttpTestCase):
    """A server with an outbox behind it."""

    def begin(self, events: int = 0, **changes: Any) -> None:
        """Start a server whose outbox has some events."""
        self.outbox = Outbox()
        for _ in range(events):
            self.outbox.commit()
        self.server = self.serve(gateway=self.outbox, **changes)

    def open(self, target: str = "/events", *fields: str, version: str = "HTTP/1.1") -> HttpClient:
        """Return a client that has asked for a stream."""
        return self.server.connect().send(ask(target, *fields, version=version))

    def commit(self, *kinds: str, calling_list: int = 201) -> None:
        """Commit events, and tell."""
        for kind in kinds or ("AddRecord",):
            self.outbox.commit(kind, calling_list)
        self.tell()

    def tell(self) -> None:
        """Let OCS say that there is news."""
        self.server.frontend.events.news()
        self.server.work()
