"""The same requests over HTTP, for programs that have no `ocs` listener to talk to."""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

from ocsgw.client.answers import Answer, NotConnectedError, OcsClientError, OutcomeUnknownError, RequestError
from ocsgw.client.requests import Requests
from ocsgw.protocol.messages import KV

# Key that names what a request is for -> resource of its target, the first that is there counts (protocol.md P10).
_RESOURCES = (
    ("GSW_RECORD_HANDLE", "records"),
    ("GSW_CALLING_LIST", "lists"),
    ("GSW_CAMPAIGN_GROUP_DBID", "campaigngroups"),
    ("GSW_PHONE", "phones"),
    ("GSW_CUSTOMER_ID", "customer_ids"),
)
_OK = 200


class HttpClient(Requests[Answer]):
    """Sends requests over one kept HTTP connection; one thread at a time.

    `url` is where the HTTP listener is, `key` an API key. A request that HTTP does not have is answered with an error
    by the server. Campaign groups are named by their DBIDs.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError(f"{url} is not a URL such as http://127.0.0.1:8080")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._headers = {"Content-Type": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def request(self, name: str, keys: KV, *, idempotency_key: str | None = None) -> Answer:
        """Send a request and return its answer. Raises an `OcsClientError`."""
        target, members = _target_of(name, keys)
        headers = dict(self._headers)
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        try:
            if self._connection.sock is None:
                self._connection.connect()
        except OSError as error:
            raise NotConnectedError(f"the server cannot be reached: {error}; nothing was sent") from error
        try:
            self._connection.request("POST", target, json.dumps(members).encode(), headers)
            response = self._connection.getresponse()
            data: dict[str, Any] = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise OutcomeUnknownError(f"the connection was lost: {error!r}") from error
        if response.status != _OK:
            text = str(data.get("GSW_ERROR", response.reason))
            raise RequestError(str(data.get("GSW_ERROR_CODE", response.status)), text, data)
        parts = tuple(data.pop("GSW_CHAINED_RECORDS", ()))
        return Answer(data, parts, response.headers.get("Idempotency-Replayed") == "true")


def _target_of(name: str, keys: KV) -> tuple[str, KV]:
    """Return the target of a request, and the members of its body. Raises `OcsClientError`."""
    for key, resource in _RESOURCES:
        if key in keys:
            members = {each: value for each, value in keys.items() if each != key}
            return f"/{resource}/{quote(str(keys[key]), safe='')}?req={name}", members
    raise OcsClientError(f"{name} needs a record, list, campaign group (by its DBID), phone or customer id over HTTP")
