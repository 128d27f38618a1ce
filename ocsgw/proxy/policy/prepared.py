"""What a head that comes again and again is good for: its checks made, the way of its bodies into frames known."""

from dataclasses import dataclass

from ocsgw.proxy.policy.target import Target
from ocsgw.proxy.translation.in_one_pass import Translator


@dataclass(frozen=True, slots=True)
class Prepared:
    """A head whose requests may take the shortest way.

    `is_judged`: without a client certificate no request with this head is refused for it, and the rest here is what the
    checks find. `is_plain`: the usual event gets an answer without header fields of its own.
    """

    translator: Translator
    target: Target
    idempotency_key: str | None
    is_judged: bool
    is_plain: bool
