"""The connection of `ocsctl` to a running OCS."""

import socket
from collections import deque
from typing import Any

import msgspec

from ocsgw.control.errors import EXIT_UNAVAILABLE, CommandError
from ocsgw.control.wire import FRAME_LIMIT, ControlReply, ControlRequest, decode_reply, encode
from ocsgw.protocol.frames import FrameDecoder, FrameError

# Seconds. A command may wait for a program that holds the store, or for an HTTP proxy that starts.
TIMEOUT = 60.0


class UnreachableError(CommandError):
    """There is no server at the control socket, or it lets nobody in."""


class ControlClient:
    """A connection to the control socket of a running OCS; what takes longer than `timeout` seconds is given up."""

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            hint = "is the server running, and is this its configuration file?"
            if isinstance(error, PermissionError):
                hint = "run ocsctl as the user of the server"
            elif isinstance(error, TimeoutError | BlockingIOError):
                hint = "it is there but takes no connection: it may be stopped, frozen or very busy"
                raise CommandError(f"cannot reach the server at {path}; {hint}", EXIT_UNAVAILABLE) from error
            raise UnreachableError(
                f"cannot reach the server at {path}: {error.strerror}; {hint}", EXIT_UNAVAILABLE
            ) from error
        self._decoder = FrameDecoder(FRAME_LIMIT)
        self._replies: deque[ControlReply] = deque()

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def call(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its result. Raises `CommandError`."""
        self.send(command, **arguments)
        return self.receive()

    def send(self, command: str, **arguments: object) -> None:
        """Begin a command; the server carries out one after the other. Raises `CommandError`."""
        try:
            self._socket.sendall(encode(ControlRequest(command, arguments)))
        except OSError as error:
            raise self._lost(error) from error

    def receive(self) -> Any:
        """Return the result of the first command whose result was not received yet. Raises `CommandError`."""
        try:
            while not self._replies:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise CommandError("the server has closed the connection", EXIT_UNAVAILABLE)
                self._replies.extend(decode_reply(payload) for payload in self._decoder.feed(data))
        except OSError as error:
            raise self._lost(error) from error
        except (FrameError, msgspec.MsgspecError) as error:
            raise CommandError(f"the server answers in a form that this ocsctl does not know: {error}") from error
        reply = self._replies.popleft()
        if reply.error is not None:
            raise CommandError(reply.error)
        return reply.result

    def _lost(self, error: OSError) -> CommandError:
        if isinstance(error, TimeoutError):
            return CommandError(
                f"the server has not answered for {self._timeout:g} s; it may be stopped, frozen or very busy, and "
                "may still carry out what was asked: look at its log, or wait longer with --timeout",
                EXIT_UNAVAILABLE,
            )
        return CommandError(f"the connection to the server is lost: {error.strerror or error}", EXIT_UNAVAILABLE)
