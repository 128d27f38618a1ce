"""Parts of messages that those write and read who need nothing else of them."""

from typing import Literal

import msgspec


class AccessLogSettings(msgspec.Struct, kw_only=True):
    """How lines of the access log look; `clear` shows contacts in full."""

    form: Literal["combined", "json"]
    clear: bool


class CounterChange(msgspec.Struct, kw_only=True):
    """By how much a counter or gauge with these values of its labels has changed."""

    name: str
    labels: list[str]
    value: int


class HistogramChange(msgspec.Struct, kw_only=True):
    """What a histogram with these values of its labels has observed: by bucket, the sum in millionths of its unit."""

    name: str
    labels: list[str]
    buckets: list[int]
    micro: int
