"""Translation by the compiled part: from the bytes of a body to the frame for OCS, where there is nothing unusual.

The part knows no table of ours. It is told what an action takes from the plan by which `translate` works.
"""

from dataclasses import dataclass
from functools import lru_cache

import msgspec

from ocsgw import speedups
from ocsgw.protocol.attributes import Attribute, Form, Value, form_of
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import HttpLimits
from ocsgw.protocol.requests import ResourceType
from ocsgw.proxy.policy.target import Target
from ocsgw.proxy.translation.translate import identifier_of, plan_of

if speedups.is_used():
    from ocsgw.speedups.bodies import MOST_MEMBERS, Action

_encode = msgspec.msgpack.encode
# What is named by any number.
_NUMBERED = frozenset({"records", "phones", "customer_ids"})


@dataclass(frozen=True, slots=True)
class Translator:
    """What brings bodies for one target into frames: `pairs` are those that name the target, as MessagePack.

    `before` are these up to the identifier where that may be any number; None where another number may be refused.
    `is_handle`: it is a number there, else the text of one.
    """

    action: "Action"
    pairs: bytes
    before: bytes | None = None
    is_handle: bool = False

    def with_number(self, number: str) -> "Translator":
        """Return the same for another number of at most 15 digits; only where there is a `before`."""
        pairs = (self.before or b"") + _encode(int(number) if self.is_handle else number)
        return Translator(self.action, pairs, self.before, self.is_handle)


def translator_for(target: Target, limits: HttpLimits) -> Translator | None:
    """Return the translator for bodies of requests to a target; None without compiled parts, or if it is refused."""
    if not speedups.is_used() or target.resource is None or target.request is None:
        return None
    if limits.json_members < MOST_MEMBERS or limits.json_depth < 1:
        return None
    try:
        identifier = identifier_of(target.resource, target.identifier)
    except Refusal:
        return None
    plan = plan_of(target.request.name, target.resource)
    data = {"GSW_AGENT_REQ_TYPE": target.request.name, plan.identifier_key: identifier}
    # Behind the byte with their number.
    pairs = _encode(data)[1:]
    before = pairs[: -len(_encode(identifier))] if target.resource in _NUMBERED else None
    return Translator(_action(target.request.name, target.resource), pairs, before, target.resource == "records")


@lru_cache(maxsize=64)
def _action(request_name: str, resource: ResourceType) -> "Action":
    plan = plan_of(request_name, resource)
    return Action([_field(each, plan.identifier_key) for each in plan.attributes], plan.custom)


def _field(
    attribute: Attribute, identifier_key: str
) -> tuple[str, Form | None, bool, tuple[str, frozenset[Value]] | None]:
    # What names the target once more is for `translate`.
    form = form_of(attribute.convert) if attribute.key != identifier_key else None
    return attribute.key, form, attribute.mandatory, attribute.mandatory_for
