"""The control socket: commands of `ocsctl`, one after the other on each connection.

Only who may open the socket's file can reach it; it needs no password.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.control.wire import FRAME_LIMIT, ControlReply, ControlRequest, decode_request, encode
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.frames import FrameDecoder, FrameError

# A command gets its arguments and returns its result, or a Deferred with it.
Command = Callable[[dict[str, Any]], Any]


class ControlError(Exception):
    """A command cannot be carried out; the text says why and what to do."""


class ControlProtocol(Protocol):
    """One connection of `ocsctl`: a request, its reply, the next request."""

    _log = Logger()

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands
        self._decoder = FrameDecoder(FRAME_LIMIT)
        self._waiting: list[bytes] = []
        self._busy = False
        self._gone = False

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of `ocsctl`."""
        try:
            self._waiting += self._decoder.feed(data)
        except FrameError as error:
            self._reply(ControlReply(error=str(error)))
            self._close()
            return
        self._next()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The command that runs is carried out; there is nobody for its reply."""
        self._gone = True
        self._waiting.clear()

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        try:
            request = decode_request(self._waiting.pop(0))
        except msgspec.MsgspecError as error:
            self._reply(ControlReply(error=f"not a command: {error}"))
            self._close()
            return
        done: Deferred[Any] = maybeDeferred(self._run, request)
        done.addCallbacks(lambda result: ControlReply(result=result), self._failed)
        done.addCallback(self._finish)

    def _run(self, request: ControlRequest) -> Any:
        command = self._commands.get(request.command)
        if command is None:
            raise ControlError(f"this server has no command {request.command}; is ocsctl of another version?")
        return command(request.arguments)

    def _failed(self, reason: Failure) -> ControlReply:
        if reason.check(ControlError, Refusal):
            return ControlReply(error=reason.getErrorMessage())
        self._log.failure("A command of ocsctl failed", reason)
        return ControlReply(error=f"internal error: {reason.getErrorMessage()}; see the log of the server")

    def _finish(self, reply: ControlReply) -> None:
        self._reply(reply)
        self._busy = False
        self._next()

    def _reply(self, reply: ControlReply) -> None:
        if not self._gone and self.transport is not None:
            self.transport.write(encode(reply))

    def _close(self) -> None:
        self._waiting.clear()
        if self.transport is not None:
            self.transport.loseConnection()


class ControlFactory(Factory):
    """Makes the connections of the control socket; `commands` are by name."""

    noisy = False

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    def buildProtocol(self, addr: object) -> ControlProtocol:
        """Return a protocol for one connection."""
        return ControlProtocol(self._commands)
