"""Access as a client of HTTP Proxy sees it: 401, 403, anonymous clients, client certificates (http.md section 13)."""

from typing import Any

from ocsgw.access.keys import digest_bytes, digest_of, salted
from ocsgw.protocol.messages import ClientCertificateSettings, Event, KeySettings, ListenerSettings, TlsSettings
from tests.support.http import FakeGateway, HttpTestCase, Received, request

_SALT = bytes(16)
_ADD = "/lists/CL?req=AddRecord"
_PREVIEW = "/campaigngroups/102?req=PreviewRecordRequest"


def key(name: str, text: str, expires: int | None = None, actions: list[str] | None = None) -> KeySettings:
    """Return a key as OCS tells it."""
    hashed = salted(_SALT, digest_bytes(digest_of(text))).hex()
    return KeySettings(name=name, salt=_SALT.hex(), hash=hashed, expires=expires, actions=actions)


def listener(*, anonymous: bool = False, mutual: Any = None) -> ListenerSettings:
    """Return a listener, with TLS if `mutual` says how."""
    tls = TlsSettings(certificate="", certificate_key="", tls_mutual=mutual) if mutual is not None else None
    return ListenerSettings(
        id="default", interface="127.0.0.1", port=8080, public_host="h", allow_anonymous=anonymous, tls=tls
    )


class AccessTests(HttpTestCase):
    """H340 to H346."""

    def usage(
        self,
        *fields: str,
        target: str = _ADD,
        certificate: str | None = None,
        accept: str | None = None,
        **changes: Any,
    ) -> tuple[Received, str | None]:
        """Return the answer to a request, and its principal if it came to OCS."""
        gateway = FakeGateway()
        client = self.serve(gateway=gateway, **changes).connect()
        client.channel._certificate = certificate
        fields += (f"Accept: {accept}",) if accept is not None else ()
        (answer,) = client.send(request(target, b'{"GSW_PHONE":"1"}' if target == _ADD else b"", *fields)).answers()
        return answer, gateway.exchanges[0].principal if gateway.exchanges else "refused"

    def test_unauthorized(self) -> None:
        """H342: 401 has `WWW-Authenticate: Bearer` in both forms of an error."""
        for accept in (None, "text/html"):
            answer, principal = self.usage(accept=accept, keys=[key("crm", "the key")])
            self.assertEqual(answer.status, 401)
            self.assertIn(b"Authentication required", answer.body)
            self.assertEqual((answer.header("WWW-Authenticate"), principal), ("Bearer", "refused"))

    def test_forbidden(self) -> None:
        """H346, RFC 6750 section 3.1: 403 names the kind of permission that is missing, and nothing of the client."""
        keys = [key("crm", "the key", actions=["PreviewRecordRequest"])]
        for accept in (None, "text/html"):
            answer, principal = self.usage("Authorization: Bearer the key", accept=accept, keys=keys)
            self.assertEqual((answer.status, principal), (403, "refused"))
            self.assertIn(b"Not permitted", answer.body)
            self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer error="insufficient_scope", scope="action"')
            if accept is None:
                self.assertEqual(answer.json["GSW_MISSING_PERMISSION"], "action")

    def test_forbidden_by_ocs(self) -> None:
        """H346: what OCS finds missing is reported in the same way."""
        gateway = FakeGateway(
            lambda data: Event(
                code="forbidden",
                data={"GSW_USER_EVENT": "Error", "GSW_ERROR": "Not permitted", "GSW_MISSING_PERMISSION": "tenant"},
            )
        )
        answer = self.ask(request(), self.serve(gateway=gateway))
        self.assertEqual((answer.status, answer.json["GSW_MISSING_PERMISSION"]), (403, "tenant"))
        self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer error="insufficient_scope", scope="tenant"')

    def test_expired(self) -> None:
        """Section 5: a key that has expired is no key; the other of the same name is."""
        keys = [key("crm", "the old key", expires=1), key("crm", "the new key")]
        self.assertEqual(self.usage("Authorization: Bearer the old key", keys=keys)[0].status, 401)
        self.assertEqual(self.usage("Authorization: Bearer the new key", keys=keys)[1], "crm")

    def test_anonymous(self) -> None:
        """H341: `allow_anonymous` lets in who shows nothing; a wrong key is a mistake all the same."""
        keys = [key("crm", "the key")]
        for anonymous, fields, status, principal in (
            (True, (), 200, None),
            (True, ("Authorization: Bearer the key",), 200, "crm"),
            (True, ("Authorization: Bearer wrong",), 401, "refused"),
            (False, (), 401, "refused"),
        ):
            answer, found = self.usage(*fields, keys=keys, listener=listener(anonymous=anonymous))
            self.assertEqual((answer.status, found), (status, principal))

    def test_certificates(self) -> None:
        """H344: a certificate stands for the principal of its entry; one without an entry is 401 once there are any."""
        known = [
            ClientCertificateSettings(subject="crm.example", name="crm", actions=["AddRecord"]),
            ClientCertificateSettings(subject="all", name="all"),
        ]
        for certificate, target, status, principal in (
            ("crm.example", _ADD, 200, "crm"),
            ("crm.example", _PREVIEW, 403, "refused"),
            ("all", _PREVIEW, 200, "all"),
            ("crm", _ADD, 401, "refused"),
            ("", _ADD, 401, "refused"),
            (None, _ADD, 401, "refused"),
        ):
            for mutual in (True, "optional"):
                answer, found = self.usage(
                    target=target, certificate=certificate, client_certificates=known, listener=listener(mutual=mutual)
                )
                self.assertEqual((answer.status, found), (status, principal), certificate)

    def test_any_certificate(self) -> None:
        """H321, H344: without entries every verified name is a principal; one without a name is anonymous."""
        certificates: tuple[tuple[str, str | None], ...] = (("anything", "anything"), ("", None))
        for certificate, principal in certificates:
            answer, found = self.usage(certificate=certificate, listener=listener(mutual=True))
            self.assertEqual((answer.status, found), (200, principal))

    def test_key_or_certificate(self) -> None:
        """H344: either is enough; a key says whose request it is if both are shown."""
        changes: dict[str, Any] = {
            "keys": [key("ivr", "the key")],
            "client_certificates": [ClientCertificateSettings(subject="s", name="crm")],
            "listener": listener(mutual="optional"),
        }
        for fields, certificate, principal in (
            ((), "s", "crm"),
            (("Authorization: Bearer the key",), None, "ivr"),
            (("Authorization: Bearer the key",), "s", "ivr"),
            (("Authorization: Bearer the key",), "unknown", "ivr"),
            ((), "unknown", "refused"),
        ):
            self.assertEqual(self.usage(*fields, certificate=certificate, **changes)[1], principal)

    def test_custom_headers(self) -> None:
        """H15: the configured headers stand in 401, 403 and 429 too, whatever the method, and no `Server` in any."""
        custom = [("X-Frame-Options", "SAMEORIGIN"), ("X-Site", "1")]
        limits: dict[str, Any] = {"address_rate": 1, "address_burst": 6, "http_custom_headers": custom}
        server = self.serve(keys=[key("crm", "the key", actions=["PreviewRecordRequest"])], **limits)
        bearer = "Authorization: Bearer the key"
        for raw, status in (
            (request(_ADD, b""), 401),
            (request(_ADD, b"", "Accept: text/html"), 401),
            (request(_ADD, b"", bearer), 403),
            (request(_ADD, b"", bearer, "Accept: text/html"), 403),
            (request(_ADD, b"", method="HEAD"), 405),
            (request("*", b"", method="OPTIONS"), 405),
            (request(_ADD, b"", bearer), 429),
            (request(_ADD, b"", method="HEAD"), 429),
        ):
            (answer,) = server.connect().send(raw).answers([0] if raw.startswith(b"HEAD") else [])
            self.assertEqual(answer.status, status)
            self.assertEqual([answer.header(name) for name, _ in custom], [value for _, value in custom])
            self.assertIsNone(answer.header("Server"))

    def test_order(self) -> None:
        """Section 4: 404 and 405 come before 401, that before everything about `req`, that before 403."""
        changes: dict[str, Any] = {"keys": [key("crm", "the key", actions=["AddRecord"])]}
        bearer = "Authorization: Bearer the key"
        for target, fields, status in (
            ("/x/1?req=AddRecord", (), 404),
            ("/lists/CL?req=Nothing", (), 401),
            ("/lists/CL?req=Nothing", (bearer,), 400),
            ("/lists/CL?req=RecordProcessed", (bearer,), 400),
            ("/records/x?req=RecordProcessed", (bearer, 'Idempotency-Key: "'), 403),
        ):
            self.assertEqual(self.usage(*fields, target=target, **changes)[0].status, status, target)
