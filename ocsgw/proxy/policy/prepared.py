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

    @property
    def takes_numbers(self) -> bool:
        """Whether a target that names another number is a target like this one."""
        return self.translator.before is not None

    def with_number(self, number: str) -> "Prepared":
        """Return the same for a target that names this number, of at most 15 digits; only if it `takes_numbers`."""
        target, translator = self.target, self.translator.with_number(number)
        other = Target(target.resource, number, target.request, None, None, target.spellings)
        return Prepared(translator, other, self.idempotency_key, self.is_judged, self.is_plain)
