"""Error codes with their HTTP status and text: one table for every carrier (http.md section 8)."""

import re
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the error table.

    `text` may have the place holders `{x}` and `{y}`; they are filled with text of the client, cut by R55. `remedy`
    says what to do where the text does not; it travels as a member of its own, because texts are stable.
    """

    code: str
    status: int
    text: str
    remedy: str = ""


_ROWS = (
    ErrorCode("bad_request", 400, "Bad request"),
    ErrorCode("missing_req", 400, "Missing parameter req"),
    ErrorCode("duplicate_req", 400, "Parameter req is given more than once"),
    ErrorCode("unknown_request", 400, "Unknown request {x}"),
    ErrorCode("unknown_argument", 400, "Unknown argument {x}; the nearest is {y}"),
    ErrorCode("unnamed_argument", 400, "Argument without a name", "Write each argument of the query as name=value"),
    ErrorCode("unsupported_request", 400, "Request {x} is not supported for resource {y}"),
    ErrorCode("invalid_json", 400, "Invalid JSON"),
    ErrorCode("not_object", 400, "JSON object expected"),
    ErrorCode("invalid_text", 400, "Body is not valid {x}"),
    ErrorCode("missing_attribute", 400, "Missing attribute {x}"),
    ErrorCode("invalid_attribute", 400, "Invalid value of attribute {x}"),
    ErrorCode(
        "rounded_number",
        400,
        "Invalid value of attribute {x}: a spreadsheet has rounded this number",
        "Send contacts as text; in the spreadsheet, format the column as text before the numbers are entered",
    ),
    ErrorCode(
        "unknown_attribute",
        400,
        "Unknown attribute {x}; the nearest is {y}",
        "Correct the name; only with `[http] strict = true`",
    ),
    ErrorCode(
        "unstorable_text",
        400,
        "Text has characters that the database cannot store",
        "Leave out the characters that its encoding lacks, or move to a database with the encoding UTF8",
    ),
    ErrorCode("invalid_datetime", 400, "Invalid date or time"),
    ErrorCode("invalid_key", 400, "Invalid Idempotency-Key"),
    ErrorCode("unauthorized", 401, "Authentication required"),
    ErrorCode("forbidden", 403, "Not permitted"),
    ErrorCode("unknown_resource", 404, "Unknown resource"),
    ErrorCode("invalid_handle", 404, "Invalid record handle"),
    ErrorCode("list_not_found", 404, "Calling list not found"),
    ErrorCode("group_not_found", 404, "Campaign group not found"),
    ErrorCode("chain_not_found", 404, "Chain not found"),
    ErrorCode("method_not_allowed", 405, "Method not allowed"),
    ErrorCode("request_timeout", 408, "Request timeout"),
    ErrorCode(
        "invalid_state",
        409,
        "Request is not allowed in this state",
        "Another agent holds the record, or the state of the campaign group does not allow this;"
        " CampaignStatusRequest shows the state",
    ),
    ErrorCode(
        "group_not_active",
        409,
        "Campaign group is not active",
        "Start the campaign group, for example with: ocsctl campaign start DBID",
    ),
    ErrorCode(
        "do_not_call",
        409,
        "Contact is on the Do Not Call list",
        "The contact or customer must not be called; end the hand-out with RecordProcessed",
    ),
    ErrorCode(
        "refused_by_table",
        409,
        "Calling list {x} does not accept the record: {y}",
        "An index, constraint or trigger of the table in the database says no",
    ),
    ErrorCode("refused_by_dnc_table", 409, "Do Not Call table does not accept the entry: {x}"),
    ErrorCode(
        "ids_used_up",
        409,
        "Calling list {x} has no free record number up to 2147483647",
        "Another program has used numbers close to the end; give its rows lower numbers",
    ),
    ErrorCode(
        "unreadable_record",
        409,
        "Record has a value in column {x} that cannot be read",
        "Another program has written the value; correct it in the table of the calling list",
    ),
    ErrorCode("key_in_use", 409, "Request with this Idempotency-Key is still being processed"),
    ErrorCode("body_too_large", 413, "Request body too large"),
    ErrorCode("uri_too_long", 414, "Request target too long"),
    ErrorCode("unsupported_coding", 415, "Unsupported content encoding"),
    ErrorCode("unsupported_charset", 415, "Unsupported charset"),
    ErrorCode("expectation_failed", 417, "Expectation failed"),
    ErrorCode("key_mismatch", 422, "Idempotency-Key was used with a different request"),
    ErrorCode("too_many_requests", 429, "Too many requests"),
    ErrorCode("header_too_large", 431, "Request header too large"),
    ErrorCode("internal", 500, "Internal error"),
    ErrorCode("answer_too_large", 500, "Answer is too large"),
    ErrorCode("unsupported_transfer", 501, "Unsupported transfer coding"),
    ErrorCode("unavailable", 503, "Outbound Contact Server is not available"),
    ErrorCode("list_unavailable", 503, "Calling list {x} is not available"),
    ErrorCode("busy", 503, "Outbound Contact Server is busy"),
    ErrorCode(
        "too_many_streams",
        503,
        "Too many event streams are open",
        "Close streams that nobody reads, or raise `[limits] event_streams`",
    ),
    ErrorCode("no_response", 504, "No response from Outbound Contact Server"),
    ErrorCode("version", 505, "HTTP version not supported"),
)

ERRORS = MappingProxyType({row.code: row for row in _ROWS})

MAX_CLIENT_TEXT = 64
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def client_text(text: str) -> str:
    """Return text of a client as it may stand in an error: no control characters, at most 64 characters (R55)."""
    return _CONTROL.sub("", text)[:MAX_CLIENT_TEXT]


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault of the program
    """A request is answered with an error of the table and changes nothing (H72).

    `missing` names the permission that a 403 is about.
    """

    def __init__(self, code: str, x: str = "", y: str = "", *, missing: str | None = None) -> None:
        row = ERRORS[code]
        self.code = code
        self.status = row.status
        self.missing = missing
        self.text = row.text.format(x=client_text(x), y=client_text(y)) if "{" in row.text else row.text
        super().__init__(self.text)
