"""The classic form of messages on the link."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.trace import head_of, is_traced, pairs_of
from ocsgw.protocol.messages import KV, Bye, Event, Hello, Log, Ping, Request, Validate, Verdict
from tests.support.settings import make_settings

DATA: KV = {
    "GSW_AGENT_REQ_TYPE": "AddRecord",
    "GSW_PHONE": "6505550100",
    "GSW_CHAIN_ID": 5,
    "GSW_CAMPAIGN_NAME": "X",
    "GSW_CUSTOMER_ID": "C-1001",
    "Segment": "gold",
    "age": 1234,
}


class TraceTests(SynchronousTestCase):
    """Head lines and pairs."""

    def test_which(self) -> None:
        """K62: request, event, validate and verdict are traced; settings, which have keys, and all others never."""
        traced = [
            Request(ref=1, data={}),
            Event(data={}),
            Validate(ref=1, purpose="validation", uri="http://x", data={}, timeout_ms=1),
            Verdict(ref=1, outcome="positive", status=200, data={}),
        ]
        others = [
            make_settings(),
            Bye(code="done"),
            Ping(ref=1),
            Log(lines=[]),
            Hello(versions=[1], client="http_proxy"),
        ]
        self.assertEqual([is_traced(each) for each in (*traced, *others)], [True] * 4 + [False] * len(others))

    def test_head(self) -> None:
        """K62: the head begins with HTTPProxyClient and ends, for what comes from the proxy, in `mesage received`."""
        self.assertEqual(
            head_of(Request(ref=7, data={}), "default 12", received=True),
            "HTTPProxyClient default 12 request 7::mesage received",
        )
        self.assertEqual(
            head_of(Event(data={}), "default 12", received=False), "HTTPProxyClient default 12 event::message sent"
        )

    def test_forms(self) -> None:
        """K62: three keys stand bare, a campaign's name in single quotes, every other key with its type."""
        data = {**DATA, "GSW_USER_EVENT": "X", "GSW_RECORD_HANDLE": 123}
        self.assertEqual(
            dict(pairs_of(Event(data=data), clear=True)),
            {
                "'GSW_AGENT_REQ_TYPE'": "'AddRecord'",
                "'GSW_USER_EVENT'": "'X'",
                "'GSW_RECORD_HANDLE'": "123",
                "'GSW_PHONE'": '[str] = "6505550100"',
                "'GSW_CHAIN_ID'": "[int] = 5",
                "'GSW_CAMPAIGN_NAME'": "[str] = 'X'",
                "'GSW_CUSTOMER_ID'": '[str] = "C-1001"',
                "'Segment'": '[str] = "gold"',
                "'age'": "[int] = 1234",
            },
        )

    def test_masked(self) -> None:
        """R54: contacts, customer ids and custom fields show their last two characters, unless they are to be clear."""
        pairs = dict(pairs_of(Request(ref=1, data={**DATA, "GSW_EMAIL": "a@b.example"}), clear=False))
        self.assertEqual(pairs["'GSW_PHONE'"], '[str] = "********00"')
        self.assertEqual(pairs["'GSW_CUSTOMER_ID'"], '[str] = "****01"')
        self.assertEqual(pairs["'Segment'"], '[str] = "**ld"')
        self.assertEqual(pairs["'age'"], "[int] = **34")
        self.assertEqual(pairs["'GSW_EMAIL'"], '[str] = "*********le"')
        self.assertEqual(pairs["'GSW_CHAIN_ID'"], "[int] = 5")

    def test_nested(self) -> None:
        """P60: a nested list stands in the line of its key, its members masked like it."""
        pairs = dict(pairs_of(Request(ref=1, data={"extra": {"phone": "6505550100", "n": 5}}), clear=False))
        self.assertEqual(pairs, {"'extra'": "[list] = 'phone' [str] = \"********00\", 'n' [int] = *"})
