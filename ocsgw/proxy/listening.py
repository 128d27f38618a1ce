"""The listening socket of HTTP Proxy: opened for it alone, shared with its siblings, or taken over (R23, R24)."""

import errno
import os
import socket
import sys
import time

from ocsgw.port_holder import holder_of, strangers_beside
from ocsgw.protocol.messages import ListenerSettings

# Between attempts to share a port, in seconds; the process serves nobody yet.
_PAUSES = (0.01, 0.05, 0.1)
# How long the system waits for the first bytes of a client before it tells of it; in seconds.
_FIRST_WORDS = 1
# Ports below need a capability, unless the system is set otherwise.
_UNPRIVILEGED = 1024


class PortError(Exception):
    """The port cannot be opened; the text says which and why."""


def listening_socket(listener: ListenerSettings) -> socket.socket:
    """Return the listening, non-blocking socket of a listener. Raises `PortError`.

    The one that OCS has handed over, if there is one. Otherwise a new one: the first proxy of a listener gets the port
    only if nobody else has it; the others share it with the first, and with nobody else.
    """
    interface = "127.0.0.1" if listener.interface == "localhost" else listener.interface
    try:
        if listener.descriptor is not None:
            port = socket.socket(fileno=listener.descriptor)
        else:
            port = _new_socket(interface, listener)
        adapt(port, listener)
        port.setblocking(False)  # noqa: FBT003 - its only parameter
    except OSError as error:
        raise PortError(reason_of(error, interface, listener.port)) from error
    return port


def reason_of(error: OSError, interface: str, port: int) -> str:
    """Return in words why a port cannot be opened: the one true reason, and what it takes."""
    where = f"[{interface}]:{port}" if ":" in interface else f"{interface}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by {holder_of(interface, port) or 'another program'}"
    if error.errno in (errno.EACCES, errno.EPERM) and port < _UNPRIVILEGED:
        return (
            f"{where} needs CAP_NET_BIND_SERVICE, as all ports below {_UNPRIVILEGED} do: AmbientCapabilities= in "
            f"the unit, or use a port from {_UNPRIVILEGED} on"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no address {interface}; use one of its own, or 0.0.0.0 for all"
    if error.errno == errno.EAFNOSUPPORT:
        return f"{where}: this machine has no IPv6"
    return f"{where}: {error.strerror or error}"


def adapt(port: socket.socket, listener: ListenerSettings) -> None:
    """Have an open socket do what the settings of its listener say: share its port, wait for clients to speak."""
    _share(port, shared=listener.shared)
    # With TLS clients speak first. The system tells of one when it has done so, or after a second: one turn of the
    # reactor less for each handshake.
    if sys.platform == "linux":
        waits = _FIRST_WORDS if listener.tls is not None else 0
        port.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, waits)


def _share(port: socket.socket, *, shared: bool) -> None:
    """Let others of the same user bind to the port of a socket too, or not."""
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)


def _new_socket(interface: str, listener: ListenerSettings) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        interface, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )[0]
    port = socket.socket(family, kind, protocol)
    try:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        joined = _bind(port, address, shared=listener.shared)
        port.listen(listener.backlog)
        if joined:
            _refuse_strangers(port)
    except BaseException:
        port.close()
        raise
    return port


def _bind(port: socket.socket, address: tuple[int | str | bytes, ...], *, shared: bool) -> bool:
    """Bind; return whether others have the port too.

    Sharing is asked for only after the port could not be had alone: a socket that would share from the beginning is
    bound beside everybody who would share too.
    """
    try:
        port.bind(address)
    except OSError as error:
        if not shared or error.errno != errno.EADDRINUSE:
            raise
        _join(port, address)
        return True
    _share(port, shared=shared)
    return False


def _join(port: socket.socket, address: tuple[int | str | bytes, ...]) -> None:
    """Bind beside a sibling, which may have bound a moment ago and not said yet that it shares."""
    _share(port, shared=True)
    for pause in _PAUSES:
        try:
            port.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(pause)
        else:
            return
    port.bind(address)


def _refuse_strangers(port: socket.socket) -> None:
    number = port.getsockname()[1]
    stranger = strangers_beside(number, os.fstat(port.fileno()).st_ino, os.getppid())
    if stranger is not None:
        raise PortError(f"port {number} is in use by {stranger}")
