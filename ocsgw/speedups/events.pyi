"""Events of OCS into answers, in one pass: from MessagePack to head and JSON."""

SOURCES: str

def answer(data: bytes, at: int, limit: int, head: bytes) -> tuple[int, bytes, int] | None:
    """Return the `ref` of the event at `at`, the answer and the place behind it; None for what is unusual."""
