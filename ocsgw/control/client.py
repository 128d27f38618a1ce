"""The connection of `ocsctl` to a running OCS."""

import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from ocsgw.control.errors import (
    InvalidConfigurationError,
    LostError,
    MismatchError,
    NoAnswerError,
    RefusedError,
    UnreachableError,
)
from ocsgw.control.wire import FRAME_LIMIT, ControlReply, ControlRequest, decode_reply, encode
from ocsgw.protocol.frames import FrameDecoder, FrameError

# Seconds. A command may wait for a program that holds the store, or for an HTTP Proxy that starts.
TIMEOUT = 60.0
# A server that lives gives a sign of it every second while a command is carried out; seconds.
_SILENCE = 10.0
# After so many seconds the user is shown what the command waits for.
_QUIET = 2.0


def _say_nothing(text: str) -> None:
    pass


class ControlClient:
    """A connection to the control socket of a running OCS.

    `timeout` is how many seconds a command may take; a server that gives no sign of life is given up earlier.
    `report` is shown what a command waits for when that takes a while. Every method raises a `ControlError`.
    """

    def __init__(
        self,
        path: str,
        timeout: float = TIMEOUT,
        report: Callable[[str], None] = _say_nothing,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._report = report
        self._timeout = timeout
        self._silence = min(timeout, _SILENCE)
        self._clock = clock
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(self._silence)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise self._unreachable(error) from error
        self._decoder = FrameDecoder(FRAME_LIMIT)
        self._sent: deque[str] = deque()
        self._replies: deque[ControlReply] = deque()

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def call(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its result."""
        self.send(command, **arguments)
        return self.receive()

    def send(self, command: str, **arguments: object) -> None:
        """Begin a command; the server carries out one after the other."""
        try:
            self._socket.sendall(encode(ControlRequest(command, arguments)))
        except TimeoutError as error:
            raise self._no_answer(command, "it reads nothing") from error
        except OSError as error:
            raise _lost(command, error) from error
        self._sent.append(command)

    def receive(self) -> Any:
        """Return the result of the first command whose result was not received yet."""
        command = self._sent.popleft() if self._sent else "the command"
        begun = self._clock()
        reported = ""
        while True:
            reply = self._next_reply(command)
            if reply.waiting is None:
                break
            taken = self._clock() - begun
            if taken >= self._timeout:
                raise NoAnswerError(
                    f"{command} has not ended within {self._timeout:g} s; the server is still waiting for "
                    f"{reply.waiting}, and will go on"
                )
            if taken >= _QUIET and reply.waiting != reported:
                reported = reply.waiting
                self._report(f"{command}: the server is waiting for {reply.waiting}")
        if reply.error is not None:
            raise (InvalidConfigurationError if reply.is_configuration else RefusedError)(reply.error)
        return reply.result

    def _next_reply(self, command: str) -> ControlReply:
        try:
            while not self._replies:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise LostError(f"the server closed the connection before it answered {command}")
                self._replies.extend(decode_reply(payload) for payload in self._decoder.feed(data))
        except TimeoutError as error:
            raise self._no_answer(command, "it gives no sign of life") from error
        except OSError as error:
            raise _lost(command, error) from error
        except (FrameError, msgspec.MsgspecError) as error:
            raise MismatchError(f"the server answers in a form that this ocsctl does not know: {error}") from error
        return self._replies.popleft()

    def _unreachable(self, error: OSError) -> UnreachableError | NoAnswerError:
        if isinstance(error, TimeoutError | BlockingIOError):
            return self._no_answer("the connection", "it accepts no connection")
        hint = "is the server running, and is this its configuration file?"
        if isinstance(error, PermissionError):
            hint = "run ocsctl as the user of the server"
        return UnreachableError(f"cannot reach the server at {self._path}: {error.strerror or error}; {hint}")

    def _no_answer(self, command: str, what: str) -> NoAnswerError:
        return NoAnswerError(
            f"the server at {self._path} has not answered {command} within {self._silence:g} s: {what}; it is stopped "
            f"(frozen) or overloaded. Look at its process and its log"
        )


def _lost(command: str, error: OSError) -> LostError:
    return LostError(f"the connection to the server was lost before it answered {command}: {error.strerror or error}")
