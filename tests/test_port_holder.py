"""Who holds a port."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.port_holder import holder_of


class PortHolderTests(SynchronousTestCase):
    """Asked of the system itself, about sockets of this process."""

    def test_held_by_us(self) -> None:
        """R24: the process that listens is told by id and name."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            text = holder_of(listening.getsockname()[1])
        self.assertIn(f"process {os.getpid()}", text)

    def test_held_on_ipv6(self) -> None:
        """A socket on IPv6 is found as well."""
        with socket.socket(socket.AF_INET6) as listening:
            listening.bind(("::1", 0))
            listening.listen()
            self.assertIn(f"process {os.getpid()}", holder_of(listening.getsockname()[1]))

    def test_held_by_nobody(self) -> None:
        """A port that is bound but not listened on, or free, is held by nobody."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.assertEqual(holder_of(bound.getsockname()[1]), "nobody listens on it any more")
