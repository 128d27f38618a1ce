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


@dataclass(frozen=True, slots=True)
class Translator:
    """What brings bodies for one target into frames: `pairs` are those that name the target, as MessagePack."""

    action: "Action"
    pairs: bytes


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
    return Translator(_action(target.request.name, target.resource), _encode(data)[1:])


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
