"""The lane of usual requests through a connection of HTTP Proxy."""

from typing import Any

SOURCES: str

def know(target: object) -> None:
    """Use this as the target of a new exchange."""

class HeadFields:
    """What is known of a head that has been read. Raises `ValueError` for places that are none."""

    raw: bytes
    begin: int
    end: int
    request: Any

    def __init__(self, raw: bytes, begin: int, end: int, request: Any) -> None: ...

class ChannelFields:
    """What connections of clients have, as far as a usual request needs it."""

class LinkFields:
    """What the link to OCS has, as far as a usual request needs it."""

class Lane:
    """The lane of the connections of one `frontend`, whose requests go over `link`."""

    def __init__(self, frontend: Any, link: Any, reading: object, held: object, server: type) -> None: ...
    def take_known(self, channel: Any, known: Any, data: bytes) -> bool:
        """Take a segment that is one request, on a connection that waits for one; return False if it is unusual."""
    def answer(self, data: bytes, at: int, limit: int, head: bytes) -> int:
        """Answer the usual events of a segment from `at` on; return where another begins."""
