"""Signatures of outgoing calls in the form of Standard Webhooks, for receivers that want to know who calls."""

import base64
import hashlib
import hmac


def signature_headers(key: str, body: bytes, now: float) -> dict[str, str]:
    """Return the headers that sign a body with a key, `whsec_` and base64, at a time in seconds since 1970 UTC.

    The id is made of the body, so a notification that is repeated has the same one.
    """
    secret = base64.b64decode(key.removeprefix("whsec_"))
    name = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    timestamp = str(int(now))
    digest = hmac.digest(secret, f"{name}.{timestamp}.".encode("ascii") + body, "sha256")
    signature = base64.b64encode(digest).decode("ascii")
    return {"webhook-id": name, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
