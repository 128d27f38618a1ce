"""The messages between `ocsctl` and a running OCS, over the control socket: frames of MessagePack, as on the wire."""

import msgspec

from ocsgw.protocol.frames import frame

# Slices of an import are the largest; they stay far below this.
FRAME_LIMIT = 16 << 20


class ControlRequest(msgspec.Struct, omit_defaults=True):
    """One command with its arguments."""

    command: str
    arguments: dict[str, object] = msgspec.field(default_factory=dict)


class ControlReply(msgspec.Struct, omit_defaults=True):
    """What a command gave, or in words why it could not be carried out; `is_configuration` if that is the reason.

    While `waiting` is given, it is neither: the command goes on, and this is what it waits for.
    """

    result: object = None
    error: str | None = None
    is_configuration: bool = False
    waiting: str | None = None


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(ControlRequest)
_replies = msgspec.msgpack.Decoder(ControlReply)


def encode(message: ControlRequest | ControlReply) -> bytes:
    """Return a message as a frame."""
    return frame(_encoder.encode(message))


def decode_request(payload: bytes) -> ControlRequest:
    """Return the request in a payload. Raises `msgspec.MsgspecError`."""
    return _requests.decode(payload)


def decode_reply(payload: bytes) -> ControlReply:
    """Return the reply in a payload. Raises `msgspec.MsgspecError`."""
    return _replies.decode(payload)
