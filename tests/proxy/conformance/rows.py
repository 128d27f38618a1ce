"""One row of the tables, and short ways to write it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

# An action without a body that matters.
LINE = b"POST /phones/1?req=DoNotCall HTTP/1.1"
HOST = b"Host: ocs.example:8080"
NEXT = LINE + b"\r\n" + HOST + b"\r\n\r\n"

# The limits of the server that answers; small, so that each row can come byte by byte.
LIMITS: dict[str, Any] = {
    "body": 400,
    "request_line": 300,
    "header_block": 1000,
    "headers": 10,
    "drain": 600,
    "pipeline": 4,
}


@dataclass(frozen=True)
class Row:
    """A stream of bytes and the statuses of all answers to it.

    `rule` is the section of RFC 9110 or RFC 9112, or the rule of http.md. `stays` tells whether a further request is
    served on the connection; None if the server waits for the rest. `heads` are the places of answers to HEAD.
    `oracle` is false where twisted.web's own channel is known to do otherwise.
    """

    rule: str
    raw: bytes
    statuses: tuple[int, ...]
    stays: bool | None
    heads: tuple[int, ...] = ()
    oracle: bool = True

    def __repr__(self) -> str:
        return f"{self.rule} {self.raw[:160]!r} ({len(self.raw)} bytes)"


def head(*fields: bytes, line: bytes = LINE, host: bytes | None = HOST) -> bytes:
    """Return the head of a request."""
    lines = [line, *([host] if host is not None else []), *fields]
    return b"".join(each + b"\r\n" for each in lines) + b"\r\n"


def sized(body: bytes, *fields: bytes, line: bytes = LINE) -> bytes:
    """Return a request with a body by its length."""
    return head(*fields, b"Content-Length: %d" % len(body), line=line) + body


def in_chunks(body: bytes, *fields: bytes, line: bytes = LINE) -> bytes:
    """Return a request with a body in chunks, as they stand in `body`."""
    return head(*fields, b"Transfer-Encoding: chunked", line=line) + body


def served(rule: str, raw: bytes, *, stays: bool = True, oracle: bool = True) -> Row:
    """Return a row of one request that is carried out."""
    return Row(rule, raw, (200,), stays, oracle=oracle)


def refused(rule: str, raw: bytes, status: int, *, stays: bool = True) -> Row:
    """Return a row of a request that is well framed and refused."""
    return Row(rule, raw, (status,), stays)


def broken(rule: str, raw: bytes, status: int = 400) -> Row:
    """Return a row of bytes that end the connection (H11)."""
    return Row(rule, raw, (status,), stays=False)


incomplete = partial(Row, statuses=(), stays=None)
