"""The classic form of messages on the link to HTTP Proxy: a head line and the pairs (constants.md K62)."""

from collections.abc import Iterator

from ocsgw.logs import mask_contact
from ocsgw.protocol.messages import KV, Event, Message, Request, Validate, Verdict

# Never `settings`, which has keys.
_KINDS: dict[type[Message], str] = {Request: "request", Event: "event", Validate: "validate", Verdict: "verdict"}
# What a log tool of the classic product looks for stands without its type.
_BARE = frozenset({"GSW_AGENT_REQ_TYPE", "GSW_USER_EVENT", "GSW_RECORD_HANDLE"})
_SINGLE_QUOTED = "GSW_CAMPAIGN_NAME"
# Keys whose value is of our own making or an identifier of the configuration; every other one may be a contact, a
# customer id or a custom field, and is masked (R54).
_PLAIN = frozenset(
    {
        "GSW_AGENT_ID",
        "GSW_AGENT_REQ_TYPE",
        "GSW_ALLOWED_REQUESTS",
        "GSW_APPLICATION_ID",
        "GSW_ATTEMPTS",
        "GSW_CALLBACK_TYPE",
        "GSW_CALLING_LIST",
        "GSW_CALLING_LIST_DBID",
        "GSW_CALL_ATTEMPT_GUID",
        "GSW_CALL_RESULT",
        "GSW_CALL_TIME",
        "GSW_CAMPAIGN_DESCRIPTION",
        "GSW_CAMPAIGN_GROUP_DBID",
        "GSW_CAMPAIGN_GROUP_DESCRIPTION",
        "GSW_CAMPAIGN_GROUP_NAME",
        "GSW_CAMPAIGN_GROUP_STATE",
        "GSW_CAMPAIGN_MODE",
        "GSW_CAMPAIGN_NAME",
        "GSW_CHAINED_RECORDS",
        "GSW_CHAIN_ATTR",
        "GSW_CHAIN_ID",
        "GSW_CHAIN_N",
        "GSW_DATE_TIME",
        "GSW_ERROR",
        "GSW_ERROR_CODE",
        "GSW_FROM",
        "GSW_PHONE_TYPE",
        "GSW_RECORDS_COUNT",
        "GSW_RECORD_HANDLE",
        "GSW_RECORD_STATUS",
        "GSW_RECORD_TYPE",
        "GSW_RECORD_URI",
        "GSW_REFERENCE_ID",
        "GSW_TENANT_DBID",
        "GSW_TENANT_NAME",
        "GSW_TREATMENT",
        "GSW_TZ_NAME",
        "GSW_TZ_OFFSET",
        "GSW_UNTIL",
        "GSW_USER_EVENT",
    }
)


def is_traced(message: Message) -> bool:
    """Whether a message belongs to the trace."""
    return type(message) in _KINDS


def head_of(message: Message, proxy: str, *, received: bool) -> str:
    """Return the head line of a message; `proxy` names the HTTP Proxy, `received` says whether it comes from there."""
    reference = getattr(message, "ref", None)
    what = _KINDS[type(message)] + (f" {reference}" if reference is not None else "")
    return f"HTTPProxyClient {proxy} {what}::{'mesage received' if received else 'message sent'}"


def pairs_of(message: Message, *, clear: bool) -> Iterator[tuple[str, str]]:
    """Yield name and value of each pair of a message as they stand in the log, masked unless `clear`."""
    data: KV = getattr(message, "data", {})
    for key, value in data.items():
        yield f"'{key}'", _value_of(key, value, masked=not clear and key not in _PLAIN)


def _value_of(key: str, value: object, *, masked: bool) -> str:
    if isinstance(value, dict):
        inner = (f"'{name}' {_value_of(name, each, masked=masked)}" for name, each in value.items())
        return f"[list] = {', '.join(inner)}"
    kind = "int" if isinstance(value, int) else "str"
    text = mask_contact(str(value)) if masked else str(value)
    if kind == "str":
        quote = "'" if key in _BARE or key == _SINGLE_QUOTED else '"'
        text = f"{quote}{text}{quote}"
    return text if key in _BARE else f"[{kind}] = {text}"
