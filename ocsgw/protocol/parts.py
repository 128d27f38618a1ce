"""An answer that crosses a link in several events (P20), and how HTTP sees it as one (P22, H290)."""

from collections.abc import Sequence

from ocsgw.protocol.messages import KV


def joined(parts: Sequence[KV], final: KV) -> KV:
    """Return the final event of an answer with what the events before it brought, as the list `GSW_CHAINED_RECORDS`.

    The reference id stands in the final event alone.
    """
    records: list[object] = [{key: value for key, value in part.items() if key != "GSW_REFERENCE_ID"} for part in parts]
    return {**final, "GSW_CHAINED_RECORDS": records}
