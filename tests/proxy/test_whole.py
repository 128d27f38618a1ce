"""Heads that come again are known by their bytes, but for the number in their target."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ocsgw.protocol.messages import AliasSettings
from ocsgw.proxy.http.whole import KnownHead
from tests.proxy.test_fuzz import EXAMPLES
from tests.support.http import FakeGateway, HttpTestCase, request

_BODIES = {"RecordProcessed": b'{"GSW_CALL_RESULT":33}', "DoNotCall": b'{"GSW_REFERENCE_ID":7}', "X": b"{}"}
_NUMBERS = st.integers(0, 10**18).map(str) | st.sampled_from(
    ["007", "0", "1" * 15, "1" * 16, "1" * 300, "9007199254740993"]
)
_PATHS = st.sampled_from(
    [
        "/records/{}",
        "/RECORDS/{}",
        "/phones/{}",
        "/customer_ids/{}",
        "/campaigngroups/{}",
        "/lists/{}",
        "/nothing/{}",
        "/r/{}",
    ]
)


class NumberTests(HttpTestCase):
    """Targets that differ in their number alone."""

    @given(st.lists(st.tuples(_PATHS, _NUMBERS, st.sampled_from([*_BODIES])), min_size=2, max_size=6), st.booleans())
    @settings(max_examples=EXAMPLES)
    def test_as_read_anew(self, wanted: list[tuple[str, str, str]], takes_frames: bool) -> None:
        """H40 to H59: what comes behind others is answered as if it had come alone."""
        options: dict[str, Any] = {"aliases": AliasSettings(resources={"r": "records"}, requests={"X": "RecordReject"})}
        gateway = FakeGateway(takes_frames=takes_frames)
        client = self.serve(gateway=gateway, **options).connect()
        alone, seen = [], []
        for path, number, action in wanted:
            data = request(f"{path.format(number)}?req={action}", _BODIES[action])
            client.send(data)
            other = FakeGateway(takes_frames=takes_frames)
            alone += self.serve(gateway=other, **options).connect().send(data).answers()
            seen += other.requests
        self.assertEqual(client.answers(), alone)
        self.assertEqual(gateway.requests, seen)

    def test_read_once(self) -> None:
        """A head with another number of as many digits is not read; one with more, or another field, is."""
        server = self.serve(gateway=FakeGateway())
        client, read = server.connect(), list[bytes]()
        learn = server.frontend.whole_requests._learn

        def learned(raw: bytes) -> KnownHead | None:
            read.append(raw)
            return learn(raw)

        self.patch(server.frontend.whole_requests, "_learn", learned)
        for target in ("records/10", "records/11", "phones/10", "records/100", "records/99", "phones/77"):
            client.send(request(f"/{target}?req=DoNotCall", b"{}"))
        self.assertEqual(
            [raw.split(b"?")[0] for raw in read], [b"POST /records/10", b"POST /phones/10", b"POST /records/100"]
        )
        self.assertEqual(client.statuses(), [200] * 6)

    def test_errors_name_the_handle(self) -> None:
        """H40: an error has the handle of its own request."""
        gateway = FakeGateway()
        client = self.serve(gateway=gateway).connect()
        for handle in (10, 11):
            client.send(request(f"/records/{handle}?req=RecordProcessed", b'{"GSW_CALL_RESULT":"?"}'))
        self.assertEqual([each.json["GSW_RECORD_HANDLE"] for each in client.answers()], [10, 11])

    def test_body_in_a_segment_of_its_own(self) -> None:
        """A head whose body comes later is known likewise."""
        gateway = FakeGateway()
        client = self.serve(gateway=gateway).connect()
        for handle in (10, 11, 12):
            head, end, body = request(f"/records/{handle}?req=RecordReject", b"{}").partition(b"\r\n\r\n")
            client.send(head + end).send(body)
        self.assertEqual([each["GSW_RECORD_HANDLE"] for each in gateway.requests], [10, 11, 12])
