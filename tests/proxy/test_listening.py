"""Listening sockets, asked of the system itself: nobody connects."""

import errno
import os
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.port_holder import strangers_beside
from ocsgw.protocol.messages import ListenerSettings, TlsSettings
from ocsgw.proxy.listening import PortError, adapt, listening_socket, reason_of


def settings(port: int, interface: str = "127.0.0.1", **changes: Any) -> ListenerSettings:
    """Return the settings of a listener."""
    return ListenerSettings(id="default", interface=interface, port=port, public_host="ocs.example", **changes)


def port_of(sock: socket.socket) -> int:
    number: int = sock.getsockname()[1]
    return number


class ListeningTests(SynchronousTestCase):
    """What the system gives for the settings of a listener."""

    def open(self, port: int = 0, **changes: Any) -> socket.socket:
        listening = listening_socket(settings(port, **changes))
        self.addCleanup(listening.close)
        return listening

    def foreign(self, *, sharing: bool) -> socket.socket:
        """Return the listening socket of somebody else."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, sharing)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        return sock

    def test_alone(self) -> None:
        """R23, R24: the socket listens on the interface, without blocking; nobody may bind beside it."""
        listening = self.open()
        self.assertEqual((listening.getsockname()[0], listening.getblocking()), ("127.0.0.1", False))
        self.assertTrue(listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        with self.assertRaises(PortError) as caught:
            listening_socket(settings(port_of(listening)))
        text = f"127.0.0.1:{port_of(listening)} is in use by process {os.getpid()} "
        self.assertEqual(str(caught.exception)[: len(text)], text)

    def test_first_words(self) -> None:
        """Clients with TLS speak first, and the system waits a second for that; those without are told of at once."""
        tls = TlsSettings(certificate="", certificate_key="")
        secure, plain = self.open(tls=tls), self.open()
        self.assertEqual([self.waits(each) for each in (secure, plain)], [1, 0])
        handed_over = self.open(descriptor=os.dup(secure.fileno()))
        self.assertEqual([self.waits(each) for each in (secure, handed_over)], [0, 0])
        adapt(handed_over, settings(0, tls=tls))
        self.assertEqual(self.waits(secure), 1)

    @staticmethod
    def waits(listening: socket.socket) -> int:
        """Return for how many seconds the system waits for the first bytes of a client."""
        return listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)

    def test_reasons(self) -> None:
        """R24: each error of the system is the one true reason, in words that say what to do."""
        cases = (
            (errno.EACCES, "0.0.0.0", 443, "0.0.0.0:443 needs CAP_NET_BIND_SERVICE"),
            (errno.EPERM, "::", 80, "[::]:80 needs CAP_NET_BIND_SERVICE"),
            (errno.EACCES, "127.0.0.1", 8080, "127.0.0.1:8080: Permission denied"),
            (errno.EADDRNOTAVAIL, "192.0.2.1", 8080, "192.0.2.1:8080: this machine has no address 192.0.2.1"),
            (errno.EAFNOSUPPORT, "::1", 8080, "[::1]:8080: this machine has no IPv6"),
            (errno.EMFILE, "127.0.0.1", 8080, "127.0.0.1:8080: Too many open files"),
        )
        for number, interface, port, text in cases:
            error = OSError(number, os.strerror(number))
            self.assertEqual(reason_of(error, interface, port)[: len(text)], text)

    def test_bound_but_not_listening(self) -> None:
        """A port that somebody has bound without listening is in use, though nobody can be named."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            with self.assertRaises(PortError) as caught:
                listening_socket(settings(port_of(bound)))
            self.assertEqual(str(caught.exception), f"127.0.0.1:{port_of(bound)} is in use by another program")

    def test_no_such_address(self) -> None:
        """An address of another machine is reported as such by the system itself."""
        with self.assertRaises(PortError) as caught:
            listening_socket(settings(0, "192.0.2.1"))
        self.assertIn("this machine has no address 192.0.2.1", str(caught.exception))

    def test_ipv6_and_names(self) -> None:
        """R23: IPv6 and `localhost` are opened as they are configured."""
        for interface, address in (("::1", "::1"), ("localhost", "127.0.0.1")):
            with listening_socket(settings(0, interface)) as listening:
                self.assertEqual(listening.getsockname()[0], address)

    def test_port_of_somebody_who_would_share(self) -> None:
        """R24: a single proxy refuses a port that somebody else has, even if that one would share it."""
        self.assertRaises(PortError, self.open, port_of(self.foreign(sharing=True)))

    def test_workers_share(self) -> None:
        """R24: the first of several gets the port alone, the next ones join it; a restarted one joins again."""
        first = self.open(shared=True)
        second = self.open(port_of(first), shared=True)
        first.close()
        third = self.open(port_of(second), shared=True)
        self.assertEqual(port_of(third), port_of(second))

    def test_worker_beside_somebody_who_does_not_share(self) -> None:
        """R24: one of several refuses a port that somebody else has."""
        self.assertRaises(PortError, self.open, port_of(self.foreign(sharing=False)), shared=True)

    def test_strangers(self) -> None:
        """R24: beside a shared socket only children of the same OCS are no strangers."""
        listening = self.foreign(sharing=True)
        joined = self.open(port_of(listening), shared=True)
        inode = os.fstat(joined.fileno()).st_ino
        self.assertIsNone(strangers_beside(port_of(joined), inode, os.getppid()))
        stranger = strangers_beside(port_of(joined), inode, os.getpid())
        self.assertIn(f"process {os.getpid()} ", str(stranger))

    def test_other_address(self) -> None:
        """R24: who listens on the same port of another address is no stranger; any address is."""
        listening = self.open()
        inode = os.fstat(listening.fileno()).st_ino
        with socket.socket() as other:
            other.bind(("127.0.0.2", port_of(listening)))
            other.listen()
            self.assertIsNone(strangers_beside(port_of(listening), inode, os.getpid()))

    def test_inherited(self) -> None:
        """R33: the socket of a predecessor is taken as it is, with its port; nothing is bound again."""
        old = self.open()
        inherited = self.open(port_of(old), descriptor=os.dup(old.fileno()))
        self.assertEqual(os.fstat(inherited.fileno()).st_ino, os.fstat(old.fileno()).st_ino)
