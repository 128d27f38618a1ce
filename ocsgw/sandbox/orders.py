"""What tests order of a sandbox, under `/_sandbox/`: the clock, faults, the record, a new beginning, a crash."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ocsgw.sandbox.clock import VirtualClock
from ocsgw.sandbox.faults import Fault, Faults
from ocsgw.sandbox.traffic import Traffic

_YEAR = 366 * 86400


class OrderError(Exception):
    """An order cannot be carried out; the text says why."""


class ClockOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Seconds to advance, or a time to be put to (seconds since 1970 UTC, or ISO 8601)."""

    advance: float | None = None
    set: float | str | None = None


class ExamplesOrder(msgspec.Struct, forbid_unknown_fields=True):
    """How many example records to add."""

    records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 25


class Server(Protocol):
    """The server of the sandbox, as orders see it."""

    def catch_up(self) -> "Deferred[None]":
        """Do what the time has brought about."""

    def reset(self) -> "Deferred[None]":
        """Begin with empty lists again."""

    def add_examples(self, records: int) -> "Deferred[int]":
        """Add records to the first calling list; fires with how many there are more."""

    def crash_proxy(self) -> None:
        """Kill the HTTP Proxy."""

    def served(self) -> "Deferred[None]":
        """Wait until there is an HTTP Proxy."""

    def describe(self) -> dict[str, Any]:
        """Return where it can be reached, and its process ids."""


class Orders(Resource):
    """The resource `/_sandbox`."""

    isLeaf = True

    def __init__(self, server: Server, clock: VirtualClock, faults: Faults, traffic: Traffic) -> None:
        super().__init__()
        self._server = server
        self._clock = clock
        self._faults = faults
        self._traffic = traffic
        self._table: dict[tuple[bytes, bytes], Callable[[bytes], Any]] = {
            (b"GET", b""): lambda _: self._server.describe(),
            (b"GET", b"clock"): lambda _: self._time(),
            (b"POST", b"clock"): self._put_clock,
            (b"GET", b"faults"): lambda _: self._faults.due(),
            (b"POST", b"faults"): self._order_faults,
            (b"DELETE", b"faults"): lambda _: self._faults.clear(),
            (b"GET", b"traffic"): lambda _: self._traffic.entries(),
            (b"DELETE", b"traffic"): lambda _: self._traffic.clear(),
            (b"POST", b"examples"): self._add_examples,
            (b"POST", b"reset"): lambda _: self._reset(),
            (b"POST", b"crash"): lambda _: self._server.crash_proxy(),
            (b"POST", b"wait"): lambda _: self._server.served(),
        }

    def render(self, request: Request) -> int:
        """Carry out an order; the answer is JSON."""
        name = b"/".join(request.postpath or []).strip(b"/")
        order = self._table.get((request.method, name))
        if order is None:
            known = ", ".join(f"{method.decode()} {path.decode() or '/'}" for method, path in self._table)
            _answer(request, 404, {"error": f"there is no such order; there are {known}"})
            return NOT_DONE_YET
        body = request.content.read() if request.content is not None else b""
        done = maybeDeferred(order, body)
        done.addCallbacks(lambda result: _answer(request, 200, result), lambda reason: _refuse(request, reason))
        return NOT_DONE_YET

    def _time(self) -> dict[str, Any]:
        now = self._clock()
        return {"time": now, "utc": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")}

    def _put_clock(self, body: bytes) -> "Deferred[dict[str, Any]]":
        order = msgspec.json.decode(body, type=ClockOrder)
        if order.advance is not None and abs(order.advance) <= 10 * _YEAR:
            self._clock.advance(order.advance)
        elif order.set is not None:
            self._clock.set(_epoch(order.set))
        else:
            raise OrderError('say {"advance": SECONDS}, ten years at most, or {"set": TIME}')
        return self._server.catch_up().addCallback(lambda _: self._time())

    def _order_faults(self, body: bytes) -> list[Fault]:
        faults: list[Fault] | Fault = msgspec.json.decode(body, type=list[Fault] | Fault)
        self._faults.order(faults if isinstance(faults, list) else [faults])
        return self._faults.due()

    def _add_examples(self, body: bytes) -> "Deferred[dict[str, Any]]":
        order = msgspec.json.decode(body or b"{}", type=ExamplesOrder)
        return self._server.add_examples(order.records).addCallback(lambda added: {"added": added})

    def _reset(self) -> "Deferred[None]":
        self._faults.clear()
        self._clock.reset()
        return self._server.reset().addCallback(lambda _: self._traffic.clear())


def _epoch(time: float | str) -> float:
    if not isinstance(time, str):
        return time
    try:
        given = datetime.fromisoformat(time)
    except ValueError:
        raise OrderError(f"{time} is not a time in ISO 8601, such as 2026-11-28T09:30:00+01:00") from None
    return (given if given.tzinfo is not None else given.replace(tzinfo=UTC)).timestamp()


def _answer(request: Request, code: int, result: object) -> None:
    body = msgspec.json.encode(result)
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"content-length", b"%d" % len(body))
    request.write(body)
    request.finish()


def _refuse(request: Request, reason: Failure) -> None:
    known = reason.check(OrderError, msgspec.MsgspecError, ValueError, OverflowError)
    _answer(request, 400 if known else 500, {"error": reason.getErrorMessage()})
