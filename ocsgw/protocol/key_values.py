"""Key-values of desktops and third-party applications, checked by the tables of requests and attributes.

HTTP Proxy does the same for JSON members before they cross the link. Source: protocol.md sections 2 and 3, http.md
H95 to H116.
"""

import unicodedata

from ocsgw.protocol.attributes import CONVERTERS, Attribute, NotText, attribute
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue
from ocsgw.protocol.requests import COMMON_ATTRIBUTES, IDENTIFIER_KEYS, RequestType, ResourceType

# The order in which identifiers count (P10).
_IN_ORDER: tuple[ResourceType, ...] = ("records", "phones", "customer_ids", "lists", "campaigngroups")
# What an identifier that cannot be one is answered with; others are invalid attributes.
_NO_SUCH = {"GSW_RECORD_HANDLE": "invalid_handle", "GSW_CAMPAIGN_GROUP_DBID": "group_not_found"}
_HANDLE = attribute("GSW_RECORD_HANDLE")


def checked(request: RequestType, data: KV) -> KV:
    """Return what a rule takes of a request: its identifier, its attributes converted, its custom members.

    Keys that the request does not know are left out (P6). Raises `Refusal`, for the identifier first, then in the order
    of the tables, missing before wrong.
    """
    resource = _resource_of(request, data)
    taken: KV = {"GSW_AGENT_REQ_TYPE": request.name}
    attributes = [*COMMON_ATTRIBUTES, *request.keys]
    if resource is not None:
        key = IDENTIFIER_KEYS[resource]
        taken[key] = _identifier(key, data[key])
        attributes += [each for each in request.attributes[resource] if each.key != key]
    elif "lists" in request.attributes:
        # The list is that of a record (protocol.md section 3.1).
        taken[_HANDLE.key] = _identifier(_HANDLE.key, data[_HANDLE.key])
        attributes += request.attributes["lists"]
    else:
        # The group is found by its campaign (P11).
        attributes += request.attributes.get("campaigngroups", ())
    _convert(attributes, data, taken)
    if resource in request.custom or (resource is None and "lists" in request.custom):
        _add_custom_members(data, taken)
    for value in data.values():
        if isinstance(value, str) and "\0" in value:
            key = next(name for name, each in data.items() if each is value)
            raise Refusal("invalid_attribute", key)
    return taken


def _is_given(data: KV, key: str) -> bool:
    return data.get(key) not in (None, "")


def _resource_of(request: RequestType, data: KV) -> ResourceType | None:
    """Return what a request is about; None for one without an identifier, or with that of a record in place of a list.

    Raises `Refusal` (`missing_attribute`).
    """
    for resource in _IN_ORDER:
        if resource in request.attributes and _is_given(data, IDENTIFIER_KEYS[resource]):
            return resource
    if not request.attributes or request.name == "CampaignStatusRequest":
        return None
    if "lists" in request.attributes and _is_given(data, _HANDLE.key):
        return None
    if "campaigngroups" in request.attributes and _is_given(data, "GSW_CAMPAIGN_NAME"):
        return None
    raise Refusal("missing_attribute", IDENTIFIER_KEYS[next(each for each in _IN_ORDER if each in request.attributes)])


def _identifier(key: str, value: KVValue) -> KVValue:
    try:
        converted = CONVERTERS[key](key, _plain(value))
    except Refusal:
        raise Refusal(_NO_SUCH.get(key, "invalid_attribute"), key) from None
    return unicodedata.normalize("NFC", converted) if key == "GSW_CALLING_LIST" else converted  # type: ignore[arg-type]  # a list's name is text


def _plain(value: KVValue) -> object:
    """Return a value as converters take it: a boolean is 1 or 0 (H113), text with U+0000 is none (H116)."""
    if isinstance(value, bool):
        return int(value)
    return NotText() if isinstance(value, str) and "\0" in value else value


def _convert(attributes: list[Attribute], data: KV, taken: KV) -> None:
    wrong: Refusal | None = None
    given: dict[str, object] = {}
    for each in attributes:
        value = data.get(each.key)
        if value is None:
            continue
        try:
            converted = each.convert(each.key, _plain(value))
        except Refusal as refusal:
            wrong = wrong or _of_identifier(each.key, refusal)
            given[each.key] = each.key
            continue
        if converted is not None:
            given[each.key] = taken[each.key] = converted
    for each in attributes:
        if each.is_missing(given):
            raise Refusal("missing_attribute", each.key)
    if wrong is not None:
        raise wrong


def _of_identifier(key: str, refusal: Refusal) -> Refusal:
    return Refusal(_NO_SUCH[key]) if key in _NO_SUCH else refusal


def _add_custom_members(data: KV, taken: KV) -> None:
    for key, value in data.items():
        if key[:4] != "GSW_" and value is not None:
            taken[key] = int(value) if isinstance(value, bool) else value
