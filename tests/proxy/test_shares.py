"""Requests in work: each connection has its share (H3, H33)."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.proxy.policy.shares import RequestShares
from tests.support.http import FakeGateway, HttpTestCase, request


class ShareTests(SynchronousTestCase):
    """The counting."""

    @given(st.integers(2, 40), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=300))
    def test_any_order(self, most: int, steps: list[tuple[int, bool]]) -> None:
        """H33: nobody is refused the first; there is never more in work than half for all and a share for each."""
        shares = RequestShares()
        shares.most = most
        held = [0] * 10
        for who, comes in steps:
            if comes and shares.may_take(held[who]):
                shares.total += 1
                held[who] += 1
            elif not comes and held[who]:
                shares.total -= 1
                held[who] -= 1
            self.assertTrue(shares.may_take(0))
            self.assertLessEqual(shares.total, (most >> 1) + sum(count > 0 for count in held))


class ChannelTests(HttpTestCase):
    """What clients see."""

    def test_greedy_clients(self) -> None:
        """R53: clients that pipeline use up their own share; one that sends a request at a time is served."""
        for short_cut in (True, False):
            gateway = FakeGateway(holds=True)
            server = self.serve(short_cut=short_cut, gateway=gateway, in_flight=64)
            greedy = [server.connect().send(request() * 100) for _ in range(20)]
            self.assertLess(len(gateway.requests), 64)
            healthy = server.connect().send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"2"}'))
            self.assertEqual(gateway.requests[-1]["GSW_PHONE"], "2")
            gateway.release(-1)
            self.assertEqual(healthy.take().statuses(), [200])
            while gateway.waiting:
                gateway.release()
                server.work()
            self.assertEqual([client.statuses() for client in greedy], [[200] * 100] * 20)
            self.assertEqual(server.frontend.shares.total, 0)

    def test_those_that_vanish(self) -> None:
        """H351: the share of a client that is gone is there for others."""
        gateway = FakeGateway(holds=True)
        server = self.serve(gateway=gateway, in_flight=64)
        server.connect().send(request() * 100).vanish()
        self.assertEqual(server.frontend.shares.total, 0)
