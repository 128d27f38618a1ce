"""What a client gets: answers, events, and errors that say whether anything was done."""

from dataclasses import dataclass, field
from typing import cast

from ocsgw.protocol.messages import KV, Event


class OcsClientError(Exception):
    """Anything that a request can end with other than its answer."""


class RequestError(OcsClientError):
    """OCS answered with Error; nothing was changed. `code` is that of http.md section 8, `text` its error text."""

    def __init__(self, code: str, text: str, data: KV) -> None:
        super().__init__(f"{text} ({code})")
        self.code = code
        self.text = text
        self.data = data


class NotConnectedError(OcsClientError):
    """There was no connection to OCS; the request was not sent."""


class OutcomeUnknownError(OcsClientError):
    """The connection broke, or no answer came in time: the request may have been carried out or not.

    Repeat it with the same `idempotency_key` to find out; without one it may be carried out twice.
    """


class RefusedError(OcsClientError):
    """OCS does not take this client: `code` is that of its goodbye (protocol.md section 6), such as `unauthorized`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"OCS refused the connection: {text or code} ({code})")
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request, or an event that OCS sent by itself.

    `data` has the key-values of the final event, `parts` those of the events before it, such as chained records.
    `replayed` says that the request had been carried out before under the same idempotency key.
    """

    data: KV
    parts: tuple[KV, ...] = field(default=())
    replayed: bool = False

    @property
    def event(self) -> str:
        """The name of the event."""
        return str(self.data.get("GSW_USER_EVENT"))

    @property
    def handle(self) -> int | None:
        """The record handle, None in events without a record."""
        return cast("int | None", self.data.get("GSW_RECORD_HANDLE"))

    @property
    def phone(self) -> str | None:
        """The contact of the record."""
        return cast("str | None", self.data.get("GSW_PHONE"))

    @property
    def is_record(self) -> bool:
        """Whether a record was handed out with this event."""
        return self.event in {"PreviewRecord", "ScheduledCall", "RecordShared"}


def answer_of(event: Event, parts: tuple[KV, ...] = ()) -> Answer:
    """Return the answer that a final event is. Raises `RequestError`."""
    if event.code is not None or event.data.get("GSW_USER_EVENT") == "Error":
        code = event.code or str(event.data.get("GSW_ERROR_CODE", "internal"))
        raise RequestError(code, str(event.data.get("GSW_ERROR", code)), event.data)
    return Answer(event.data, parts, bool(event.replayed))
