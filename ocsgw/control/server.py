"""The control socket: commands of `ocsctl`, one after the other on each connection.

Only users who may open the socket's file can reach it; it needs no password.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.control.errors import ControlError, InvalidConfigurationError
from ocsgw.control.wire import FRAME_LIMIT, ControlReply, ControlRequest, decode_request, encode
from ocsgw.logs import say
from ocsgw.periodic import Periodic
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.frames import FrameDecoder, FrameError

# A client is shown so often that its command goes on; seconds.
_SIGN_OF_LIFE = 1.0


@dataclass(frozen=True, slots=True)
class Command:
    """A command of `ocsctl`.

    `run` gets the arguments and returns the result or a Deferred with it; it refuses by `ControlError`. `waits_for` is
    what a user is shown while it takes its time.
    """

    run: Callable[[dict[str, Any]], Any]
    waits_for: str


class ControlProtocol(Protocol):
    """One connection of `ocsctl`: a request, signs of life, its reply, the next request.

    Meanwhile nothing more is read, so that whoever sends ahead waits, and does not look like somebody who wants a turn.
    """

    _log = Logger()
    transport: Any

    def __init__(self, commands: Mapping[str, Command], clock: IReactorTime) -> None:
        self._commands = commands
        self._decoder = FrameDecoder(FRAME_LIMIT)
        self._waiting: list[bytes] = []
        self._busy = False
        self._gone = False
        self._clock = clock
        self._waits_for = ""
        self._signs = Periodic("signs of life of a control connection", self._show_life, clock)

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
        self._signs.stop()

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        try:
            request = decode_request(self._waiting.pop(0))
        except msgspec.MsgspecError as error:
            self._reply(ControlReply(error=f"this is not a command: {error}"))
            self._close()
            return
        done: Deferred[Any] = maybeDeferred(self._run, request)
        done.addCallbacks(lambda result: ControlReply(result=result), self._failed, errbackArgs=(request.command,))
        if not done.called and not self._gone:
            self._signs.start(_SIGN_OF_LIFE)
            self.transport.pauseProducing()
        done.addCallback(self._finish, request.command)

    def _run(self, request: ControlRequest) -> Any:
        command = self._commands.get(request.command)
        if command is None:
            raise ControlError(f"this server has no command {request.command}; is ocsctl of another version?")
        self._waits_for = command.waits_for
        return command.run(request.arguments)

    def _show_life(self) -> None:
        self._reply(ControlReply(waiting=self._waits_for))

    def _failed(self, reason: Failure, command: str) -> ControlReply:
        if reason.check(ControlError, Refusal):
            invalid = bool(reason.check(InvalidConfigurationError))
            return ControlReply(error=reason.getErrorMessage(), is_configuration=invalid)
        say(self._log, 93140, command=command, log_failure=reason)
        return ControlReply(error=f"internal error: {reason.getErrorMessage()}; see the log of the server")

    def _finish(self, reply: ControlReply, command: str) -> None:
        self._signs.stop()
        try:
            self._reply(reply)
        except (TypeError, msgspec.MsgspecError, OverflowError):
            # Whatever it gave, the client must not wait for ever.
            self._reply(self._failed(Failure(), command))
        finally:
            self._busy = False
        if self._waiting:
            # Everybody else comes first: in one turn what they have sent is read, in the next it is carried out.
            self._clock.callLater(0, self._clock.callLater, 0, self._next)
        elif not self._gone and self.transport is not None:
            self.transport.resumeProducing()

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

    def __init__(self, commands: Mapping[str, Command], clock: IReactorTime) -> None:
        self._commands = commands
        self._clock = clock

    def buildProtocol(self, addr: object) -> ControlProtocol:
        """Return a protocol for one connection."""
        return ControlProtocol(self._commands, self._clock)
