"""Who holds a port."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.port_holder import holder_of


class PortHolderTests(SynchronousTestCase):
    """Asked of the system itself, about sockets of this process."""

    def test_held_by_us(self) -> None:
        """R24: the process that listens is reported by id and name."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            text = str(holder_of("127.0.0.1", listening.getsockname()[1]))
        self.assertIn(f"process {os.getpid()}", text)

    def test_held_on_ipv6(self) -> None:
        """A socket on IPv6 is found as well."""
        with socket.socket(socket.AF_INET6) as listening:
            listening.bind(("::1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            self.assertIn(f"process {os.getpid()}", str(holder_of("::1", port)))

    def test_held_by_nobody(self) -> None:
        """A port that is bound but not listened on, or free, is held by nobody."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.assertIsNone(holder_of("127.0.0.1", bound.getsockname()[1]))

    def test_other_address(self) -> None:
        """Who listens on the same port of another address does not hold it; who listens on any address does."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.2", 0))
            listening.listen()
            port = listening.getsockname()[1]
            self.assertIsNone(holder_of("127.0.0.1", port))
            self.assertIsNone(holder_of("::1", port))
            self.assertIsNotNone(holder_of("127.0.0.2", port))
            self.assertIsNotNone(holder_of("0.0.0.0", port))
        with socket.socket() as listening:
            listening.bind(("0.0.0.0", 0))
            listening.listen()
            self.assertIsNotNone(holder_of("127.0.0.1", listening.getsockname()[1]))
