"""JSON bodies into frames for OCS, in one pass."""

from collections.abc import Iterable, Sequence

SOURCES: str
# More members are unusual.
MOST_MEMBERS: int

class Action:
    """One action on one kind of resource: what its bodies may have.

    `fields` are name, form, whether it is mandatory, and for which numbers of which other field it is; a form is a
    `protocol.attributes.Form`, which this room does not know, or None.
    """

    def __init__(
        self, fields: Sequence[tuple[str, object, bool, tuple[str, Iterable[object]] | None]], custom: bool
    ) -> None: ...
    def frame(
        self,
        body: bytes,
        target: bytes,
        ref: int,
        deadline: int,
        key: str | None,
        principal: str | None,
        request_id: bytes | None,
        peer: str | None,
        limit: int,
    ) -> tuple[bytes, int | str | None] | None:
        """Return the frame of a request and its reference id; None for what is unusual."""
