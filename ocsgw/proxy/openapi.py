"""The OpenAPI document of the HTTP interface, made from the tables of requests, attributes and errors.

A request is chosen by the argument `req`, which OpenAPI cannot tell apart by path: each path has the schemas of all its
requests, by their names. Source: OpenAPI 3.1, http.md sections 3, 8 to 10.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from twisted.python.failure import Failure

from ocsgw.protocol.attributes import INT32_MAX, MAX_HANDLE, Attribute, in_words, json_schema
from ocsgw.protocol.errors import ERRORS, Refusal
from ocsgw.protocol.event_stream import EVENT_TYPES
from ocsgw.protocol.requests import ALLOWED_REQUESTS, COMMON_ATTRIBUTES, REQUESTS, RequestType, ResourceType
from ocsgw.proxy.http.exchange import Answer, Deliver, Exchange, check_address
from ocsgw.version import VERSION

Schema = dict[str, Any]

SEGMENT = b"openapi.json"

# How the identifier of each resource is called in its path, what it is, and its schema.
_IDENTIFIERS: Mapping[ResourceType, tuple[str, str, Schema]] = {
    "records": ("handle", "Record handle", {"type": "integer", "minimum": 1, "maximum": MAX_HANDLE}),
    "phones": ("contact", "Phone number, e-mail address or other address", {"type": "string", "minLength": 1}),
    "customer_ids": ("customer_id", "Customer id", {"type": "string", "minLength": 1}),
    "lists": ("calling_list", "Name of a calling list", {"type": "string", "minLength": 1}),
    "campaigngroups": ("dbid", "DBID of a campaign group", {"type": "integer", "minimum": 1, "maximum": INT32_MAX}),
}
_ERROR = {"$ref": "#/components/schemas/Error"}


def document() -> Schema:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ocsgw, Outbound Contact Server",
            "version": VERSION,
            "description": "Requests are POSTs; `req` says which, the body has its attributes as members of one JSON"
            " object. Members that are not attributes are custom fields of the calling list, or ignored.",
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"key": []}],
        "paths": {
            **{f"/{resource}/{{{name}}}": _path(resource) for resource, (name, _, _) in _IDENTIFIERS.items()},
            "/events": {"get": _EVENTS},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key"}},
            "schemas": {
                **{row.name: _request(row) for row in REQUESTS.values() if row.resources},
                "Event": _EVENT,
                "Error": _ERROR_SCHEMA,
            },
        },
    }


_EVENT: Schema = {
    "type": "object",
    "required": ["GSW_USER_EVENT"],
    "properties": {
        "GSW_USER_EVENT": {
            "type": "string",
            "enum": sorted({event for row in REQUESTS.values() if row.resources for event in row.success}),
        },
        "GSW_APPLICATION_ID": {"type": "integer"},
        "GSW_RECORD_HANDLE": {"type": "integer"},
        "GSW_CHAINED_RECORDS": {"type": "array", "items": {"type": "object"}},
        "GSW_REFERENCE_ID": {"type": ["string", "integer"]},
    },
}
_ERROR_SCHEMA: Schema = {
    "type": "object",
    "required": ["GSW_USER_EVENT", "GSW_ERROR"],
    "properties": {
        "GSW_USER_EVENT": {"const": "Error"},
        "GSW_ERROR": {"type": "string"},
        "GSW_ERROR_CODE": {"type": "string", "enum": sorted(ERRORS)},
        "GSW_ERROR_HINT": {"type": "string"},
    },
}


def _path(resource: ResourceType) -> Schema:
    name, text, schema = _IDENTIFIERS[resource]
    names = [each for row in ALLOWED_REQUESTS[resource] for each in (row, *REQUESTS[row].aliases)]
    bodies = [{"$ref": f"#/components/schemas/{row}"} for row in ALLOWED_REQUESTS[resource]]
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "description": text, "schema": schema}],
        "post": {
            "operationId": resource,
            "summary": f"Requests for {text[0].lower()}{text[1:]}",
            "parameters": [
                {
                    "name": "req",
                    "in": "query",
                    "required": True,
                    "description": "The request, in any case",
                    "schema": {"type": "string", "enum": names},
                },
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": "A repetition with the same key gets the first answer and changes nothing",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                },
            ],
            "requestBody": {
                "required": False,
                "content": {"application/json": {"schema": bodies[0] if len(bodies) == 1 else {"anyOf": bodies}}},
            },
            "responses": {
                "200": _response("The acknowledgement; the change is on disk", {"$ref": "#/components/schemas/Event"}),
                **dict(_refusals()),
            },
        },
    }


def _refusals() -> Iterator[tuple[str, Schema]]:
    by_status: dict[int, list[str]] = {}
    for row in ERRORS.values():
        by_status.setdefault(row.status, []).append(row.text)
    for status, texts in sorted(by_status.items()):
        yield str(status), _response("; ".join(texts), _ERROR)


def _response(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _request(row: RequestType) -> Schema:
    """Return the schema of the body of a request: the attributes of all its resources."""
    attributes: dict[str, Attribute] = {}
    for of_resource in row.attributes.values():
        for each in (*of_resource, *COMMON_ATTRIBUTES):
            attributes.setdefault(each.key, each)
    schema: Schema = {
        "type": "object",
        "properties": {key: _property(each) for key, each in attributes.items()},
        "additionalProperties": True,
    }
    required = [key for key, each in attributes.items() if each.mandatory]
    if required:
        schema["required"] = required
    return schema


def _property(attribute: Attribute) -> Schema:
    schema = json_schema(attribute.convert)
    if attribute.mandatory:
        schema["type"] = ["string", "integer"]
    return {"description": in_words(attribute.convert), **schema}


def _filter(name: str, text: str, items: Schema) -> Schema:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "array", "items": items}}


_EVENT_ID: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_EVENTS: Schema = {
    "operationId": "events",
    "summary": "What happens, live, as Server-Sent Events; the answer does not end",
    "parameters": [
        _filter("type", "Types of events", {"type": "string", "enum": list(EVENT_TYPES)}),
        _filter("list", "Calling lists", _IDENTIFIERS["lists"][2]),
        _filter("campaigngroup", "DBIDs of campaign groups", _IDENTIFIERS["campaigngroups"][2]),
        {"name": "lastEventId", "in": "query", "description": "As Last-Event-ID", "schema": _EVENT_ID},
        {"name": "Last-Event-ID", "in": "header", "description": "The event that was seen last", "schema": _EVENT_ID},
    ],
    "responses": {
        "200": {"description": "Events, until one side ends it", "content": {"text/event-stream": {}}},
        **dict(_refusals()),
    },
}


class OpenApi:
    """The route `/openapi.json`: the document, for everybody who can connect."""

    methods = b"GET, HEAD"

    def __init__(self) -> None:
        self._body: bytes | None = None

    def check(self, exchange: Exchange) -> Refusal | None:
        """Take GET and HEAD within the limits of the address."""
        refusal = check_address(exchange)
        if refusal is None and exchange.line.method not in {b"GET", b"HEAD"}:
            refusal = Refusal("method_not_allowed")
        return refusal

    def handle(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        """Answer with the document."""
        if self._body is None:
            self._body = msgspec.json.encode(document())
        deliver(exchange, Answer(200, [(b"Content-Type", b"application/json; charset=utf-8")], self._body))

    def forget(self, exchange: Exchange, reason: Failure) -> None:
        """Nothing waits."""
