"""What HTTPS costs: requests over kept connections against plain HTTP, and handshakes against nginx.

Processor time is that of the server's processes, from the system's own accounts. Run as `python -m benchmarks.tls
handshakes PORT COUNT VERSION full|resumed` this module is the client that only shakes hands.
"""

import socket
import ssl
import statistics
import subprocess
import sys
from contextlib import suppress

from benchmarks.runner import ROOT, Load, Peer, cpu_of
from tests.support.certificates import Authority

NGINX_TLS = """
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets on;
"""
OURS_TLS = '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# What a handshake may cost, times that of nginx.
GOALS = {("1.2", "full"): 1.8, ("1.2", "resumed"): 2.2, ("1.3", "full"): 1.6, ("1.3", "resumed"): 1.7}
_WARM_UP = 50


def secure(peer: Peer) -> Peer:
    """Give a peer an ECDSA certificate, and make it speak TLS."""
    Authority().issue("localhost", "127.0.0.1").write(peer.folder, "server")
    peer.scheme = "https"
    peer.tls = NGINX_TLS.format(folder=peer.folder) if peer.name == "nginx" else OURS_TLS
    return peer


def requests(rounds: int, seconds: int, connections: int = 32) -> None:
    """Print what a request on a kept connection costs with and without TLS, in the same round.

    With the server on a core of its own, and on all of them: there the TLS of the clients takes from the server.
    """
    ways = [(pinned, scheme) for pinned in (True, False) for scheme in ("http", "https")]
    loads: dict[tuple[bool, str], list[Load]] = {way: [] for way in ways}
    for _ in range(rounds):
        for pinned, scheme in ways:
            peer = Peer("ocsgw", pinned=pinned)
            if scheme == "https":
                secure(peer)
            try:
                peer.start()
                peer.load(connections, 1)
                loads[pinned, scheme].append(peer.load(connections, seconds))
            finally:
                peer.stop()
    print(f"\n{'AddRecord on kept connections':42} {'us cpu/req':>10} {'req/s':>8} {'errors':>6} {'ratio':>6}")
    for (pinned, scheme), found in loads.items():
        cpu, rate = (statistics.median(getattr(each, field) for each in found) for field in ("cpu", "rate"))
        ratio = statistics.median(
            mine.cpu / plain.cpu for mine, plain in zip(found, loads[pinned, "http"], strict=True)
        )
        name = f"ocsgw, {scheme}, {'one core' if pinned else 'all cores'}"
        goal = "  at most 1.25" if scheme == "https" else ""
        print(f"{name:42} {cpu:10.1f} {rate:8.0f} {sum(each.errors for each in found):6} {ratio:6.2f}{goal}")


def handshakes(rounds: int, count: int = 1500) -> None:
    """Print what a handshake costs beside nginx with the same kind of certificate, in the same round."""
    kinds = [(version, kind) for version in VERSIONS for kind in ("full", "resumed")]
    spent: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(rounds):
        peers = [secure(Peer(name)) for name in ("nginx", "ocsgw")]
        try:
            for peer in peers:
                peer.start()
            for version, kind in kinds:
                for peer in peers:
                    _shake_elsewhere(peer, _WARM_UP, version, kind)
                    before = sum(map(cpu_of, peer.pids()))
                    _shake_elsewhere(peer, count, version, kind)
                    cost = (sum(map(cpu_of, peer.pids())) - before) / count * 1e6
                    spent.setdefault((version, kind, peer.name), []).append(cost)
        finally:
            for peer in peers:
                peer.stop()
    print(f"\n{'Handshakes, ECDSA P-256':42} {'nginx us':>10} {'ocsgw us':>10} {'ratio':>6}")
    for version, kind in kinds:
        theirs, ours = (spent[version, kind, name] for name in ("nginx", "ocsgw"))
        ratio = statistics.median(b / a for a, b in zip(theirs, ours, strict=True))
        name = f"TLS {version}, {kind}"
        goal = f"at most {GOALS[version, kind]}"
        print(f"{name:42} {statistics.median(theirs):10.0f} {statistics.median(ours):10.0f} {ratio:6.2f}  {goal}")


def _shake_elsewhere(peer: Peer, count: int, version: str, kind: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "benchmarks.tls", "handshakes", str(peer.port), str(count), version, kind],
        cwd=ROOT,
        check=True,
    )


def shake(port: int, count: int, version: str, kind: str) -> None:
    """Connect again and again, each time with a full handshake or with one that resumes the first session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = VERSIONS[version]
    session = _session(context, port) if kind == "resumed" else None
    for _ in range(count):
        with (
            _connect(port) as connection,
            context.wrap_socket(connection, session=session, do_handshake_on_connect=False) as tls,
        ):
            tls.do_handshake()
            if tls.session_reused is not (kind == "resumed"):
                raise RuntimeError("the handshake was not of the kind that is measured")
            with suppress(OSError):
                tls.unwrap()


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    # Otherwise the end of a connection waits for an acknowledgement, and what a server does when idle is counted too.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _session(context: ssl.SSLContext, port: int) -> ssl.SSLSession:
    """Return a session that the server knows; with TLS 1.3 it comes before the first answer."""
    with _connect(port) as connection, context.wrap_socket(connection) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        tls.recv(1 << 16)
        if tls.session is None:
            raise RuntimeError("the server gives no session")
        return tls.session


if __name__ == "__main__":
    shake(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
