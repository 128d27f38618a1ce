"""Limits per address and principal: token buckets, connections, and 429 as clients see it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.limits import Buckets, Limit, Quota, RateLimiter, group_of, tighter
from ocsgw.protocol.messages import HttpLimits
from tests.access.test_judge import key
from tests.support.http import FakeGateway, HttpServer, HttpTestCase, request
from tests.support.settings import make_settings


class BucketTests(SynchronousTestCase):
    """Requests per second with a burst."""

    def test_burst_and_rate(self) -> None:
        """The burst is there at once, then one request comes free every 1/rate seconds; what is left is reported."""
        buckets = Buckets(9)
        taken = [buckets.take("a", 2, 4, 100.0) for _ in range(5)]
        self.assertEqual([each.remaining for each in taken], [3, 2, 1, 0, 0])
        self.assertEqual([each.reset for each in taken], [1, 1, 2, 2, 2])
        self.assertEqual([each.wait for each in taken], [None, None, None, None, 1])
        self.assertEqual(buckets.take("a", 2, 4, 100.4).wait, 1)
        self.assertEqual(buckets.take("a", 2, 4, 100.5), Quota(4, 0, 2))
        self.assertEqual(buckets.take("a", 2, 4, 200.0), Quota(4, 3, 1))

    def test_refusals_cost_nothing(self) -> None:
        """Who is refused, however often, gets in as soon as the time is there."""
        buckets = Buckets(9)
        buckets.take("a", 1, 1, 0.0)
        for at in range(1, 100):
            self.assertEqual(buckets.take("a", 1, 1, at / 100).wait, 1)
        self.assertIsNone(buckets.take("a", 1, 1, 1.0).wait)

    def test_names(self) -> None:
        """Each name has a bucket of its own."""
        buckets = Buckets(9)
        self.assertIsNone(buckets.take("a", 1, 1, 0.0).wait)
        self.assertIsNone(buckets.take("b", 1, 1, 0.0).wait)
        self.assertEqual(buckets.take("a", 1, 1, 0.0).wait, 1)

    def test_memory(self) -> None:
        """No more than `most` names are remembered; the one used longest ago is forgotten first."""
        buckets = Buckets(3)
        for name in ("a", "b", "c", "a", "d"):
            buckets.take(name, 1, 9, 0.0)
        for at in range(1000):
            self.assertLessEqual(len(buckets), 3)
            buckets.take(str(at), 1, 9, 0.0)
        fresh = Buckets(2)
        fresh.take("a", 1, 2, 0.0)
        fresh.take("b", 1, 2, 0.0)
        fresh.take("a", 1, 2, 0.0)
        fresh.take("c", 1, 2, 0.0)
        self.assertEqual(fresh.take("a", 1, 2, 0.0).wait, 1)

    @given(st.integers(1, 50), st.integers(1, 50), st.lists(st.floats(0, 0.3), max_size=150))
    def test_never_more(self, rate: int, burst: int, pauses: list[float]) -> None:
        """In no span of time are more let in than the burst and what the rate gives in it."""
        buckets, now, admitted = Buckets(9), 1000.0, []
        for pause in pauses:
            now += pause
            quota = buckets.take("a", rate, burst, now)
            self.assertTrue(0 <= quota.remaining <= quota.limit and quota.reset >= 0)
            if quota.wait is None:
                admitted.append(now)
        for begin in range(0, len(admitted), 7):
            for end in range(begin, len(admitted)):
                self.assertLessEqual(end - begin + 1, burst + rate * (admitted[end] - admitted[begin]) + 1e-3)

    def test_tighter(self) -> None:
        """Of two quotas the one that leaves less is reported, a refusal first."""
        small, large, refused = Quota(9, 1, 1), Quota(5, 2, 1), Quota(50, 0, 1, 1)
        self.assertEqual(tighter(small, large), small)
        self.assertEqual(tighter(refused, Quota(1, 0, 1)), refused)
        self.assertEqual((tighter(None, large), tighter(small, None), tighter(None, None)), (large, small, None))


class TurnstileTests(SynchronousTestCase):
    """Connections."""

    def test_groups(self) -> None:
        """An IPv6 client is its /64 network, an IPv4 one its address, also mapped into IPv6."""
        for address, group in (
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
        ):
            self.assertEqual(group_of(address), group)

    def test_connections(self) -> None:
        """A connection too many is not admitted; one that ends makes room, and leaves nothing behind."""
        turnstile = RateLimiter(lambda: 0.0)
        turnstile.use(Limit(connections=2), Limit(connections=1), 9)
        first, second, third = (turnstile.enter("192.0.2.7") for _ in range(3))
        self.assertEqual([first.admitted, second.admitted, third.admitted], [True, True, False])
        self.assertTrue(turnstile.enter("192.0.2.8").admitted)
        self.assertEqual([first.identify("crm"), second.identify("crm"), second.identify("ivr")], [True, False, True])
        third.leave()
        first.leave()
        first.leave()
        fourth = turnstile.enter("192.0.2.7")
        self.assertTrue(fourth.admitted and fourth.identify("crm"))
        for usage in (second, fourth):
            usage.leave()
        self.assertEqual(dict(turnstile._addresses.connections), {"192.0.2.8": 1})
        self.assertEqual(dict(turnstile._principals.connections), {})


class AnswerTests(HttpTestCase):
    """429, as clients see it."""

    def limited(self, gateway: FakeGateway | None = None, **limits: Any) -> HttpServer:
        """Return a server with limits and two principals."""
        keys = [key("crm", "key of crm"), key("ivr", "key of ivr")]
        return self.serve(gateway=gateway, keys=keys, **limits)

    def ask_as(self, server: HttpServer, who: str = "crm", *fields: str) -> tuple[int, dict[str, str | None]]:
        """Return status and limits of an answer on a connection of its own."""
        answer = self.ask(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', bearer(who), *fields), server)
        names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After")
        return answer.status, {name: answer.header(name) for name in names if answer.header(name) is not None}

    def test_off(self) -> None:
        """By default nobody is limited and no header tells of limits."""
        server = self.limited()
        self.assertEqual({self.ask_as(server)[0] for _ in range(50)}, {200})
        self.assertEqual(self.ask_as(server)[1], {})
        self.assertEqual(server.frontend.usages, {})

    def test_principal(self) -> None:
        """A principal beyond its rate gets 429 before anything of its request is looked at; others do not notice."""
        gateway = FakeGateway()
        server = self.limited(gateway, principal_rate=1, principal_burst=2)
        found = [self.ask_as(server) for _ in range(3)]
        self.assertEqual([status for status, _ in found], [200, 200, 429])
        self.assertEqual(found[1][1], {"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "2"})
        self.assertEqual(found[2][1], found[1][1] | {"Retry-After": "1"})
        self.assertEqual(len(gateway.exchanges), 2)
        self.assertEqual(self.ask_as(server, "ivr")[0], 200)
        self.clock.advance(1)
        self.assertEqual([self.ask_as(server)[0] for _ in range(2)], [200, 429])

    def test_address(self) -> None:
        """An address is limited whatever it sends: guesses of keys, unknown resources, wrong methods."""
        server = self.limited(address_rate=1, address_burst=3)
        raws = (
            request("/x/1"),
            request("/lists/CL?req=AddRecord", b"", "Authorization: Bearer guess"),
            request("/lists/CL?req=AddRecord", method="GET", body=b""),
            request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', bearer("crm")),
        )
        self.assertEqual([self.ask(raw, server).status for raw in raws], [404, 401, 405, 429])

    def test_keep_alive(self) -> None:
        """The connection stays after a 429, and its body is read past."""
        server = self.limited(principal_rate=1)
        raw = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', bearer("crm"))
        client = server.connect().send(raw * 3)
        self.assertEqual(client.statuses(), [200, 429, 429])
        self.assertFalse(client.closed)
        self.clock.advance(1)
        self.assertEqual(client.send(raw).statuses()[-1], 200)

    def test_connections_of_an_address(self) -> None:
        """A connection too many gets 429 with `Retry-After` and is closed; when one ends there is room."""
        server = self.limited(address_connections=2)
        first, second, third = (server.connect() for _ in range(3))
        (answer,) = third.answers()
        self.assertEqual((answer.status, answer.header("Retry-After"), third.closed), (429, "1", True))
        first.vanish()
        raw = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', bearer("crm"))
        self.assertEqual(server.connect().send(raw).statuses(), [200])
        self.assertEqual(second.send(raw).statuses(), [200])

    def test_connections_of_a_principal(self) -> None:
        """A principal's connection too many gets 429 and is closed; those of others and its older ones go on."""
        server = self.limited(principal_connections=1)
        raw = {who: request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', bearer(who)) for who in ("crm", "ivr")}
        first = server.connect().send(raw["crm"])
        second = server.connect().send(raw["crm"])
        (answer,) = second.answers()
        self.assertEqual((answer.status, answer.header("Retry-After"), second.closed), (429, "1", True))
        self.assertEqual(first.send(raw["crm"]).statuses(), [200, 200])
        self.assertEqual(server.connect().send(raw["ivr"]).statuses(), [200])
        self.assertEqual(first.send(raw["ivr"]).statuses()[-1], 429)

    def test_both_ways(self) -> None:
        """The short cut and the long way have the same limits and the same headers."""
        answers: list[Any] = []
        for short_cut in (True, False):
            server = self.serve(short_cut=short_cut, address_rate=1)
            raw = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}')
            found = server.connect().send(raw * 2).answers()
            answers.append([(each.status, sorted(each.headers)) for each in found])
        self.assertEqual(answers[0], answers[1])
        self.assertEqual([status for status, _ in answers[0]], [200, 429])

    def test_reload(self) -> None:
        """P100: new limits count at once; connections from before are not counted and go on."""
        server = self.serve()
        client = server.connect()
        server.frontend.use(make_settings(HttpLimits(address_rate=1)))
        raw = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}')
        self.assertEqual(client.send(raw * 2).statuses(), [200, 200])
        self.assertEqual(server.connect().send(raw * 2).statuses(), [200, 429])


def bearer(who: str) -> str:
    """Return the header of a principal."""
    return f"Authorization: Bearer key of {who}"
