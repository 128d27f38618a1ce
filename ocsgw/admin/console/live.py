"""`/live`: what has changed on a page, as Server-Sent Events; each part of it as a whole."""

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from ocsgw.admin.console.layout import Visitor
from ocsgw.admin.console.markup import Markup
from ocsgw.admin.console.pages import Door, contain_failure, field, secure
from ocsgw.control.errors import ControlError
from ocsgw.periodic import Periodic

Parts = Callable[[Request, Visitor], "Deferred[dict[str, Markup]]"]

EVERY = 2.0
_MOST = 20


class Live(Resource):
    """Watchers of pages; `pages` gives the parts of each live page. They are looked after only while there are any."""

    isLeaf = True

    def __init__(self, door: Door, pages: dict[str, Parts], clock: IReactorTime) -> None:
        super().__init__()
        self._door = door
        self._pages = pages
        self._watchers: list[_Watcher] = []
        self._ticker = Periodic("live pages of the console", self._tick, clock)

    def render_GET(self, request: Request) -> Any:
        """Begin to watch."""
        secure(request)
        parts = self._pages.get(field(request, "page"))
        if self._door.visitor_of(request, is_page=False) is None:
            request.setResponseCode(401)
            return b""
        if parts is None or len(self._watchers) >= _MOST:
            request.setResponseCode(404 if parts is None else 503)
            return b""
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")
        watcher = _Watcher(self._door, parts, request)
        self._watchers.append(watcher)
        request.notifyFinish().addBoth(lambda _: self._gone(watcher))
        request.write(b"retry: 5000\n\n")
        if not self._ticker.running:
            self._ticker.start(EVERY)
        return NOT_DONE_YET

    def stop(self) -> None:
        """End all."""
        self._ticker.stop()
        for each in list(self._watchers):
            each.close()

    def _gone(self, watcher: "_Watcher") -> None:
        watcher.is_gone = True
        self._watchers.remove(watcher)
        if not self._watchers:
            self._ticker.stop()

    def _tick(self) -> None:
        for each in list(self._watchers):
            each.look()


@implementer(IPushProducer)
class _Watcher:
    """One page in one browser. While it does not read, it gets nothing more."""

    _log = Logger()

    def __init__(self, door: Door, parts: Parts, request: Request) -> None:
        self.is_gone = False
        self._door = door
        self._parts = parts
        self._request = request
        self._shown: dict[str, Markup] = {}
        self._is_looking = False
        self._is_paused = False
        request.registerProducer(self, True)  # noqa: FBT003 - Twisted's order: it pushes

    def pauseProducing(self) -> None:
        """The browser does not read as fast as it gets."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """It has read everything."""
        self._is_paused = False

    def stopProducing(self) -> None:
        """It is gone, which `notifyFinish` reports as well."""
        self._is_paused = True

    def look(self) -> None:
        """Send what has changed."""
        visitor = self._door.visitor_of(self._request, is_page=False)
        if visitor is None:
            self._send("end", {})
            self.close()
            return
        if self._is_looking or self._is_paused:
            return
        self._is_looking = True
        done = maybeDeferred(self._parts, self._request, visitor)
        done.addCallback(self._send_changed)
        done.addErrback(self._failed)
        done.addBoth(self._looked)

    def close(self) -> None:
        """End the answer."""
        if not self.is_gone:
            self._request.unregisterProducer()
            self._request.finish()

    def _looked(self, _: object) -> None:
        self._is_looking = False

    def _failed(self, reason: Failure) -> None:
        # While the store is being opened there is nothing to show; the next round tries again.
        if not reason.check(ControlError):
            contain_failure(self._log, reason, "/live")

    def _send_changed(self, parts: dict[str, Markup]) -> None:
        changed = {name: part for name, part in parts.items() if self._shown.get(name) != part}
        self._shown = parts
        if changed:
            self._send("parts", changed)

    def _send(self, event: str, data: dict[str, Markup]) -> None:
        if not self.is_gone:
            self._request.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
