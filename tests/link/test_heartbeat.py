"""The heartbeat of a connection."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.link.heartbeat import Heartbeat
from ocsgw.protocol.messages import Ping


class HeartbeatTests(SynchronousTestCase):
    """P88: a ping after `heartbeat_ms` without traffic, the end after another without a byte."""

    def test_ping_after_the_interval(self) -> None:
        """P88: a ping is due when nothing came for the interval, not before, and only one."""
        heartbeat = Heartbeat(3.0, 100.0)
        self.assertIsNone(heartbeat.tick(102.9))
        self.assertEqual(heartbeat.tick(103.0), Ping(ref=1))
        self.assertIsNone(heartbeat.tick(104.0))

    def test_any_byte_is_life(self) -> None:
        """P88: traffic of any kind puts the ping off, and ends the wait for the answer to one."""
        heartbeat = Heartbeat(3.0, 0.0)
        heartbeat.heard(2.5)
        self.assertIsNone(heartbeat.tick(5.4))
        self.assertIsNotNone(heartbeat.tick(5.5))
        heartbeat.heard(8.4)
        self.assertFalse(heartbeat.is_lost(8.5))
        self.assertIsNone(heartbeat.tick(11.3))
        self.assertEqual(heartbeat.tick(11.4), Ping(ref=2))

    def test_lost(self) -> None:
        """P88: no byte within another interval after the ping: lost; never before the ping."""
        heartbeat = Heartbeat(3.0, 0.0)
        self.assertFalse(heartbeat.is_lost(50.0))
        heartbeat.tick(50.0)
        heartbeat.tick(52.0)
        self.assertFalse(heartbeat.is_lost(52.9))
        self.assertTrue(heartbeat.is_lost(53.0))

    def test_who_was_frozen_itself_asks_again(self) -> None:
        """P88: after an interval without a tick nothing is known of the other side; its answer may wait unread."""
        heartbeat = Heartbeat(3.0, 0.0)
        self.assertEqual(heartbeat.tick(3.0), Ping(ref=1))
        self.assertEqual(heartbeat.tick(20.0), Ping(ref=2))
        self.assertFalse(heartbeat.is_lost(20.0))
        for now in (21.0, 22.0):
            self.assertIsNone(heartbeat.tick(now))
            self.assertFalse(heartbeat.is_lost(now))
        self.assertIsNone(heartbeat.tick(23.0))
        self.assertTrue(heartbeat.is_lost(23.0))

    def test_little_patience_after_a_freeze(self) -> None:
        """C83: a child that wakes up may belong to a server that was replaced; it closes its port within a second."""
        heartbeat = Heartbeat(3.0, 0.0)
        heartbeat.after_freeze = 0.5
        self.assertEqual(heartbeat.tick(20.0), Ping(ref=1))
        self.assertFalse(heartbeat.is_lost(20.4))
        self.assertTrue(heartbeat.is_lost(20.5))
        heartbeat.heard(20.6)
        self.assertEqual([heartbeat.tick(now) for now in (22.0, 23.6)], [None, Ping(ref=2)])
        self.assertFalse(heartbeat.is_lost(26.5))
        self.assertTrue(heartbeat.is_lost(26.6))
