"""The order of messages on one connection: who may send what, when (protocol.md sections 5 and 6).

Bytes in, messages out; no I/O and no clock. A plain table says which kinds each end may receive.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from ocsgw import speedups
from ocsgw.protocol.attributes import CONVERTERS
from ocsgw.protocol.frames import FrameDecoder, FrameError
from ocsgw.protocol.messages import (
    VERSION,
    AccessLines,
    Bye,
    Drain,
    Event,
    Hello,
    Log,
    Message,
    MessageError,
    News,
    Ping,
    Pong,
    Port,
    Ready,
    Request,
    Settings,
    Stats,
    Validate,
    Verdict,
    Welcome,
    decode,
)
from ocsgw.protocol.requests import ClientKind

_usual: Callable[[bytes, int], tuple[list[Request], int]] | None = None
if speedups.is_used():
    from ocsgw.speedups.back import know, requests

    _usual = requests
    know([*CONVERTERS, "GSW_AGENT_REQ_TYPE"])

Ending = Literal["protocol_error", "version", "refused"]


class WireError(Exception):
    """The peer broke the protocol; `code` is that of the `bye` that reports it (P66)."""

    def __init__(self, code: Ending, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


_FROM_APPLICATIONS: frozenset[type[Message]] = frozenset({Request, Ping, Pong, Bye})
_FROM_OCS: frozenset[type[Message]] = frozenset({Event, Ping, Pong, Drain, Bye})

# What OCS may receive from a client of this kind, once greeted.
FROM_CLIENT: Mapping[ClientKind, frozenset[type[Message]]] = MappingProxyType(
    {
        "http_proxy": _FROM_APPLICATIONS.union({Ready, Log, AccessLines, Stats, Verdict, Port, News}),
        "desktop": _FROM_APPLICATIONS,
        "third_party": _FROM_APPLICATIONS,
    }
)
# What a client of this kind may receive, once greeted.
FROM_OCS: Mapping[ClientKind, frozenset[type[Message]]] = MappingProxyType(
    {
        "http_proxy": _FROM_OCS.union({Settings, Validate, Port, News}),
        "desktop": _FROM_OCS,
        "third_party": _FROM_OCS,
    }
)


class _Session(ABC):
    def __init__(self, frame_limit: int) -> None:
        self._decoder = FrameDecoder(frame_limit)
        self.greeted = False
        self.ended = False

    @property
    def frame_limit(self) -> int:
        """The largest payload that is received, in bytes."""
        return self._decoder.limit

    @frame_limit.setter
    def frame_limit(self, limit: int) -> None:
        self._decoder.limit = limit

    @property
    def incomplete(self) -> bool:
        """Whether the beginning of a frame waits for its end (P66)."""
        return self._decoder.incomplete

    @property
    def takes_usual(self) -> bool:
        """Whether the next byte begins a frame, and events may come."""
        return self.greeted and not self.ended and not self._decoder.incomplete

    def end_of_frame(self, data: bytes, at: int) -> int:
        """Return where the frame that goes on or begins at `at` ends, at the latest the end of `data`."""
        return self._decoder.end_of_frame(data, at)

    def receive(self, data: bytes) -> Iterator[Message]:
        """Give the messages that `data` completes, one by one; use the iterator up before feeding more.

        How the stream is cut into pieces makes no difference (P67): what came before a breach has been given when
        `WireError` is raised. After that nothing more may be fed.
        """
        try:
            for payload in self._decoder.feed(data):
                if self.ended:
                    raise WireError("protocol_error", "a message follows the bye")
                message = decode(payload)
                self._judge(message)
                yield message
        except (FrameError, MessageError) as error:
            self.ended = True
            raise WireError("protocol_error", str(error)) from None
        except WireError:
            self.ended = True
            raise

    @abstractmethod
    def _judge(self, message: Message) -> None:
        """Raise `WireError` unless `message` may come now."""


def _kind(message: Message) -> str:
    return str(type(message).__struct_config__.tag)


class ServerSession(_Session):
    """The end of OCS. `accepts` are the client kinds that this carrier takes (P85).

    After `hello`, `client` is the kind of the client. Open requests are counted here: a `ref` that is in use is refused
    (P71); `close_request` frees it.
    """

    def __init__(self, accepts: frozenset[ClientKind], frame_limit: int) -> None:
        super().__init__(frame_limit)
        self._accepts = accepts
        self.client: ClientKind | None = None
        self._allowed: frozenset[type[Message]] = frozenset({Hello})
        self.open_requests: set[int] = set()

    def usual_requests(self, data: bytes) -> tuple[list[Request], bytes]:
        """Return the usual requests with which `data` begins, and the rest of it, to be given to `receive` afterwards.

        They are in order and whole, but not judged: each has to be given to `open_request` when its turn comes. There
        are none where compiled parts are not used; `receive` gives all messages as well. Raises `WireError`.
        """
        if _usual is None or not self.greeted or self.ended:
            return [], data
        try:
            data = self._decoder.joined(data)
        except FrameError as error:
            self.ended = True
            raise WireError("protocol_error", str(error)) from None
        requests, at = _usual(data, self._decoder.limit)
        return requests, data[at:]

    def open_request(self, ref: int) -> None:
        """A request has come. Raises `WireError` if its `ref` is in use (P71)."""
        if ref in self.open_requests:
            self.ended = True
            raise WireError("protocol_error", f"ref {ref} is in use")
        self.open_requests.add(ref)

    def close_request(self, ref: int) -> None:
        """The final event of request `ref` has been sent."""
        self.open_requests.discard(ref)

    def _judge(self, message: Message) -> None:
        kind = type(message)
        if kind not in self._allowed:
            expected = "is not allowed here" if self.greeted else "came before hello"
            raise WireError("protocol_error", f"{_kind(message)} {expected}")
        if kind is Request:
            self.open_request(message.ref)  # type: ignore[attr-defined]  # kind is Request
        elif isinstance(message, Hello):
            self._greet(message)
        elif kind is Bye:
            self.ended = True

    def _greet(self, hello: Hello) -> None:
        if VERSION not in hello.versions:
            raise WireError("version", f"this server speaks version {VERSION} only")
        if hello.client not in self._accepts:
            raise WireError("refused", f"client {hello.client} is not served on this connection")
        if hello.client == "desktop" and not hello.agent_id:
            raise WireError("protocol_error", "hello of a desktop has no agent_id")
        self.client = hello.client
        self.greeted = True
        self._allowed = FROM_CLIENT[hello.client]


class ClientSession(_Session):
    """The end of a client of kind `client`."""

    def __init__(self, client: ClientKind, frame_limit: int) -> None:
        super().__init__(frame_limit)
        self._open = FROM_OCS[client]
        self._allowed: frozenset[type[Message]] = frozenset({Welcome, Bye})

    def _judge(self, message: Message) -> None:
        kind = type(message)
        if kind not in self._allowed:
            expected = "is not allowed here" if self.greeted else "came before welcome"
            raise WireError("protocol_error", f"{_kind(message)} {expected}")
        if isinstance(message, Welcome):
            if message.version != VERSION:
                raise WireError("version", f"the server chose version {message.version}")
            self.greeted = True
            self._allowed = self._open
            self._decoder.limit = message.limits.frame
        elif kind is Bye:
            self.ended = True
