"""JSON members to key-values and events to JSON, by the attribute and request tables (http.md sections 6, 8 and 10)."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from ocsgw.protocol.attributes import (
    CONVERTERS,
    INT64_MAX,
    INT64_MIN,
    Attribute,
    Converter,
    NotText,
    NumberText,
    Value,
    integer_of,
    text_of,
)
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue
from ocsgw.protocol.requests import (
    COMMON_ATTRIBUTES,
    FOREIGN_IDENTIFIERS,
    IDENTIFIER_KEYS,
    REQUESTS,
    RequestType,
    ResourceType,
)
from ocsgw.proxy.policy.spellings import Spellings
from ocsgw.proxy.policy.target import Target, parse_handle
from ocsgw.proxy.translation.jsonbody import Members

REFERENCE = "GSW_REFERENCE_ID"
_MAX_IDENTIFIER = {"phones": 128, "customer_ids": 255}


# What is done about a member that begins like an attribute: its name, the request, the attributes of that.
Unknown = Callable[[str, str, tuple[str, ...]], None]


def to_key_values(target: Target, members: Members, unknown: Unknown | None = None) -> KV:
    """Return the key-values of a request. Raises `Refusal`, by the order of checks 11 and 12 of http.md section 4.

    `target` has a resource and a request; `members` are those of the body. `unknown` is called at the end for each
    `GSW_` member that the request does not know (H95), and may refuse.
    """
    if target.resource is None or target.request is None:
        raise ValueError("the target names no action")
    plan = plan_of(target.request.name, target.resource)
    identifier = identifier_of(target.resource, target.identifier)
    data: KV = {"GSW_AGENT_REQ_TYPE": target.request.name, plan.identifier_key: identifier}
    converters = plan.converters
    in_order = has_unknown = False
    try:
        for name, value in members.items():
            if value is None:
                continue
            converter = converters.get(name)
            if converter is not None:
                converted = converter(name, value)
                if converted is not None:
                    data[name] = converted
            elif name[:4] != "GSW_":
                if plan.custom:
                    data[name] = value if type(value) is str else _custom_value(name, value)
                elif type(value) is NotText:
                    in_order = True
            elif name in _IDENTIFYING or type(value) is NotText:
                in_order = True
            else:
                has_unknown = True
        for attribute in plan.mandatory:
            if attribute.is_missing(data):
                in_order = True
    except Refusal:
        in_order = True
    if in_order:
        # Which of several faults is reported first depends on their order, which the quick pass does not know.
        _check_identifiers(plan, target.spellings, identifier, members)
        _check_attributes(plan, members)
        _check_texts(members)
    if has_unknown and unknown is not None:
        for name in members:
            if name[:4] == "GSW_" and name not in converters and name not in _IDENTIFYING:
                unknown(name, plan.request.name, tuple(converters))
    return data


def reference_of(members: Members) -> Value | None:
    """Return the reference id of a body if it has a valid one (H145)."""
    value = members.get(REFERENCE)
    if value is None:
        return None
    try:
        return CONVERTERS[REFERENCE](REFERENCE, value)
    except Refusal:
        return None


def to_members(event: KV) -> KV:
    """Return the members of an answer in their order: `GSW_USER_EVENT` first, no null (H121, H146, H291)."""
    members = _in_order(event)
    chained = members.get("GSW_CHAINED_RECORDS")
    if type(chained) is list:
        members = {**members, "GSW_CHAINED_RECORDS": [_in_order(cast("KV", record)) for record in chained]}
    return members


def _in_order(event: KV) -> KV:
    if None in event.values():
        event = {key: value for key, value in event.items() if value is not None}
    if next(iter(event), None) != "GSW_USER_EVENT" and "GSW_USER_EVENT" in event:
        event = {"GSW_USER_EVENT": event["GSW_USER_EVENT"]} | event
    return event


_IDENTIFYING = frozenset({"GSW_AGENT_REQ_TYPE", *IDENTIFIER_KEYS.values()})


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the members of one request on one resource type."""

    request: RequestType
    identifier_key: str
    foreign_keys: tuple[str, ...]
    custom: bool
    attributes: tuple[Attribute, ...]
    converters: Mapping[str, Converter]
    mandatory: tuple[Attribute, ...]


@lru_cache(maxsize=64)
def plan_of(request_name: str, resource: ResourceType) -> Plan:
    """Return what to do with the members of a request on a resource type."""
    request = REQUESTS[request_name]
    attributes = (*COMMON_ATTRIBUTES, *request.attributes[resource])
    return Plan(
        request=request,
        identifier_key=IDENTIFIER_KEYS[resource],
        foreign_keys=FOREIGN_IDENTIFIERS[resource],
        custom=resource in request.custom,
        attributes=attributes,
        converters={attribute.key: attribute.convert for attribute in attributes},
        mandatory=tuple(attribute for attribute in attributes if attribute.mandatory or attribute.mandatory_for),
    )


def identifier_of(resource: ResourceType, text: str) -> Value:
    """Return the identifier of the target as a value; checks 11 and the beginning of 12 (H59, H61)."""
    if resource == "records":
        handle = parse_handle(text)
        if handle is None:
            raise Refusal("invalid_handle")
        return handle
    if resource == "campaigngroups":
        number = parse_handle(text)
        if number is None or len(text) > 10:
            raise Refusal("group_not_found")
        return number
    if resource == "lists":
        return unicodedata.normalize("NFC", text)
    trimmed = text.strip()
    if not trimmed or len(text) > _MAX_IDENTIFIER[resource]:
        raise Refusal("invalid_attribute", IDENTIFIER_KEYS[resource])
    return trimmed


def _check_identifiers(plan: Plan, spellings: Spellings, identifier: Value, members: Members) -> None:
    """Refuse members that contradict the target (H99 to H101)."""
    named = members.get("GSW_AGENT_REQ_TYPE")
    if named not in (None, "") and not (isinstance(named, str) and spellings.request(named) is plan.request):
        raise Refusal("invalid_attribute", "GSW_AGENT_REQ_TYPE")
    repeated = members.get(plan.identifier_key)
    if repeated not in (None, "") and not _same(plan.identifier_key, identifier, repeated):
        raise Refusal("invalid_attribute", plan.identifier_key)
    for key in plan.foreign_keys:
        if members.get(key) not in (None, ""):
            raise Refusal("invalid_attribute", key)


def _same(key: str, identifier: Value, repeated: object) -> bool:
    """Whether a member says the same as the target: texts as H60, K41 and K42 compare them."""
    if isinstance(identifier, int):
        return integer_of(repeated) == identifier
    text = text_of(repeated)
    if text is None:
        return False
    if key != "GSW_CALLING_LIST":
        text = text.strip()
    if key == "GSW_CUSTOMER_ID":
        return text == identifier
    return unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", identifier)


def _check_attributes(plan: Plan, members: Members) -> None:
    """Refuse the first attribute in the order of the tables, missing before wrong (check 12)."""
    given: dict[str, object] = {}
    wrong: Refusal | None = None
    for attribute in plan.attributes:
        value = members.get(attribute.key)
        if value is None:
            continue
        try:
            converted = attribute.convert(attribute.key, value)
        except Refusal as refusal:
            wrong = wrong or refusal
            converted = attribute.key
        if converted is not None:
            given[attribute.key] = converted
    for attribute in plan.mandatory:
        if attribute.is_missing(given):
            raise Refusal("missing_attribute", attribute.key)
    if wrong is not None:
        raise wrong


def _check_texts(members: Members) -> None:
    """Refuse a string that is not text, also where nobody would read it (H116)."""
    for name, value in members.items():
        if type(value) is NotText:
            raise Refusal("invalid_attribute", name)


def _custom_value(name: str, value: object) -> KVValue:
    """Return a custom member for the link; HTTP Proxy knows no list and keeps only what a column may take (H97)."""
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, int):
        number = int(value)
        return number if INT64_MIN <= number <= INT64_MAX else str(number)
    if type(value) is NotText:
        raise Refusal("invalid_attribute", name)
    return cast("KVValue", type(value)())
