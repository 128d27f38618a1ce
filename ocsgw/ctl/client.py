"""The connection of `ocsctl` to a running OCS."""

import socket
from typing import Any

import msgspec

from ocsgw.ctl.errors import EXIT_UNAVAILABLE, CommandError
from ocsgw.protocol.control import FRAME_LIMIT, ControlRequest, decode_reply, encode
from ocsgw.protocol.frames import FrameDecoder, FrameError


class ControlClient:
    """A connection to the control socket of a running OCS."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            hint = "is the server running, and is this its configuration file?"
            if isinstance(error, PermissionError):
                hint = "run ocsctl as the user of the server"
            raise CommandError(
                f"cannot reach the server at {path}: {error.strerror}; {hint}", EXIT_UNAVAILABLE
            ) from error
        self._decoder = FrameDecoder(FRAME_LIMIT)

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def call(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its result. Raises `CommandError`."""
        try:
            self._socket.sendall(encode(ControlRequest(command, arguments)))
            while True:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise CommandError("the server has closed the connection", EXIT_UNAVAILABLE)
                for payload in self._decoder.feed(data):
                    reply = decode_reply(payload)
                    if reply.error is not None:
                        raise CommandError(reply.error)
                    return reply.result
        except OSError as error:
            raise CommandError(f"the connection to the server is lost: {error.strerror}", EXIT_UNAVAILABLE) from error
        except (FrameError, msgspec.MsgspecError) as error:
            raise CommandError(f"the server answers in a form that this ocsctl does not know: {error}") from error
