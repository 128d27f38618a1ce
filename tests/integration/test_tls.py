"""HTTPS with real processes: reload under load, hostile clients, secrets."""

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.control.client import ControlClient
from ocsgw.control.errors import ControlError
from tests.integration.server import PATIENCE, ROOT, Answer, Server, is_alive, make_server, shared_server
from tests.support.certificates import DAY, NOW, Authority, Issued, rsa_key

# `make soak` has more of them.
RELOADS = int(os.environ.get("OCSGW_TLS_RELOADS", "100"))
TARGET = "/lists/CL_Test?req=AddRecord"
BODY = b'{"GSW_PHONE":"6505550100"}'
TLS = '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
AUTHORITY = Authority()


class TlsTests(SynchronousTestCase):
    """One server with HTTPS for each test."""

    def make(
        self, listener: str = "", issued: Issued | None = None, files: dict[str, str] | None = None, **options: Any
    ) -> Server:
        """Return a running server with a certificate of its own, and with these files beside it."""
        server = make_server(self, listener=TLS + listener, **options)
        (issued or AUTHORITY.issue("localhost", "127.0.0.1")).write(server.folder, "server")
        for name, text in {"ca.pem": AUTHORITY.pem, **(files or {})}.items():
            (server.folder / name).write_text(text, encoding="ascii")
            (server.folder / name).chmod(0o600)
        return server.start()

    def client(self, certificate: Path | None = None) -> ssl.SSLContext:
        """Return the TLS of a client that trusts the authority."""
        context = ssl.create_default_context(cadata=AUTHORITY.pem)
        if certificate is not None:
            context.load_cert_chain(certificate.with_suffix(".pem"), certificate.with_suffix(".key"))
        return context

    def open(self, server: Server, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        """Return a connection whose handshake is over."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, timeout=PATIENCE, context=context or self.client()
        )
        connection.connect()
        self.addCleanup(connection.close)
        return connection

    def post(self, connection: http.client.HTTPSConnection) -> Answer:
        """Add a record on a connection."""
        connection.request("POST", TARGET, BODY, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())

    def presented(self, server: Server) -> bytes:
        """Return the certificate that a new connection gets, DER."""
        connection = self.open(server)
        try:
            return connection.sock.getpeercert(binary_form=True) or b""
        finally:
            connection.close()

    def answer_to_garbage(self, server: Server, raw: bytes) -> bytes:
        """Return what comes back for bytes that are no TLS."""
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection,
            contextlib.suppress(OSError),
        ):
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(4096):
                answer += piece
        return answer

    def control(self, server: Server) -> ControlClient:
        """Return a connection to the control socket."""
        client = ControlClient(str(server.folder / "var" / "control.sock"))
        self.addCleanup(client.__exit__)
        return client

    def test_same_bodies(self) -> None:
        """R3, R8: the same request has the same body with and without TLS."""
        server = self.make()
        plain = shared_server()
        bodies = [
            re.sub(rb'"GSW_(?:CHAIN|RECORD)_ID":\d+', b"", answer.body)
            for answer in (self.post(self.open(server)), plain.post(TARGET, BODY))
        ]
        self.assertEqual(bodies[0], bodies[1])
        self.assertIn(b"AddRecordAcknowledge", bodies[0])

    def test_reload_under_load(self) -> None:
        """Issue text, reload: no request is lost, whatever the number of reloads; new files serve within 2 s."""
        server = self.make()
        child = server.child_pid
        certificates = [AUTHORITY.issue("localhost", "127.0.0.1") for _ in range(2)]
        stop = threading.Event()
        failures: list[str] = []
        counts: list[int] = []

        def work(*, keeps: bool) -> None:
            count = 0
            connection = self.open(server)
            try:
                while not stop.is_set():
                    answer = self.post(connection)
                    if answer.status != 200:
                        failures.append(f"{answer.status} {answer.body!r}")
                    count += 1
                    if not keeps:
                        connection.close()
                        connection = self.open(server)
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            finally:
                connection.close()
                counts.append(count)

        threads = [threading.Thread(target=work, kwargs={"keeps": keeps}) for keeps in (True, True, False)]
        for thread in threads:
            thread.start()
        control = self.control(server)
        slowest = 0.0
        try:
            for number in range(RELOADS):
                issued = certificates[number % 2]
                issued.write(server.folder, "server")
                control.call("reload")
                if number % 20 == 0:
                    began = time.monotonic()
                    while self.presented(server) != issued.certificate.public_bytes(Encoding.DER):
                        self.assertLess(time.monotonic() - began, PATIENCE)
                    slowest = max(slowest, time.monotonic() - began)
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual(failures, [])
        self.assertLess(slowest, 2)
        self.assertTrue(all(counts), counts)
        self.assertEqual(server.rows("SELECT count(*) FROM CL_Test"), [(sum(counts),)])
        self.assertEqual((server.child_pid, is_alive(child)), (child, True))

    def test_files_that_cannot_be_used(self) -> None:
        """C38: a wrong key is refused on SIGHUP and by ocsctl with its file; the old files serve, also a new child."""
        server = self.make()
        old = self.presented(server)
        kept = self.open(server)
        AUTHORITY.issue("localhost", "127.0.0.1").write(server.folder, "new")
        os.replace(server.folder / "new.pem", server.folder / "server.pem")
        with self.assertRaises(ControlError) as raised:
            self.control(server).call("reload")
        self.assertIn("server.key does not belong to the certificate", str(raised.exception))
        before = server.log().count("93014")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_until(lambda: server.log().count("93014") > before)
        self.assertEqual(self.presented(server), old)
        self.assertEqual(self.post(kept).status, 200)
        starts = server.log().count("93002")
        os.kill(server.child_pid, signal.SIGKILL)
        server.wait_until(lambda: server.log().count("93002") > starts)
        self.assertEqual(self.presented(server), old)
        os.replace(server.folder / "new.key", server.folder / "server.key")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_until(lambda: self.presented(server) != old)

    def test_start_is_refused(self) -> None:
        """C38: status 78, with every problem by key, file and remedy, from check-config and from a start."""
        server = make_server(
            self,
            listener=TLS.replace("server.pem", "old.pem") + '[[listener]]\nid = "b"\nprotocol = "http"\nport = 0\n'
            '[listener.tls]\ncertificate = "missing.pem"\ncertificate_key = "old.key"\n',
        )
        AUTHORITY.issue("localhost", end=NOW - DAY).write(server.folder, "old")
        (server.folder / "server.key").write_text(AUTHORITY.issue("localhost").key_pem, encoding="ascii")
        (server.folder / "server.key").chmod(0o600)
        for command in ("check-config", "run"):
            done = subprocess.run(
                [sys.executable, "-m", "ocsgw", command, "--config", str(server.config)],
                cwd=server.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            said = done.stdout + done.stderr
            self.assertEqual(done.returncode, 78, said)
            for words in (
                "[listener.tls] certificate: " + str(server.folder / "old.pem") + " expired on",
                "[listener.tls] certificate_key: " + str(server.folder / "server.key") + " does not belong",
                'missing.pem": No such file or directory',
            ):
                self.assertIn(words, said)

    def test_hostile_clients(self) -> None:
        """R6, R30: garbage, plain HTTP, half-open and nameless handshakes leave the listener serving."""
        server = self.make(more='[limits]\nheader_timeout = "2s"\n')
        child = server.child_pid
        healthy = self.open(server)
        halves = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(50)]
        for number, connection in enumerate(halves):
            self.addCleanup(connection.close)
            connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00"[: number % 8])
        for raw in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x00" * 4096,
            b"SSH-2.0-x\r\n",
            os.urandom(65536),
            b"\x80\x2e",
        ):
            for _ in range(5):
                self.assertNotIn(b"HTTP/1.1", self.answer_to_garbage(server, raw))
        nameless = self.client()
        nameless.check_hostname = False
        with nameless.wrap_socket(socket.create_connection(("127.0.0.1", server.port), PATIENCE)) as tls:
            tls.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertTrue(tls.recv(4096).startswith(b"HTTP/1.1 404 "))
        self.assertEqual(self.post(healthy).status, 200)
        for connection in halves:
            connection.settimeout(PATIENCE)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
        self.assertEqual(self.post(self.open(server)).status, 200)
        self.assertEqual((server.child_pid, is_alive(child)), (child, True))
        server.wait_until(lambda: "it must use https" in server.log())
        self.assertNotIn("Traceback", server.log())

    def test_client_certificates(self) -> None:
        """H343, R7: with tls_mutual only a certificate that is trusted and not revoked gets an answer."""
        good, bad = AUTHORITY.issue(subject="ivr"), AUTHORITY.issue(subject="old ivr")
        folder = Path(self.mktemp()).resolve()
        folder.mkdir(parents=True)
        good.write(folder, "good")
        bad.write(folder, "bad")
        Authority("Stranger").issue(subject="ivr").write(folder, "strange")
        server = self.make(
            'trusted_ca = "ca.pem"\ntls_mutual = true\ntls_crl = "crl.pem"\n',
            AUTHORITY.issue("localhost", "127.0.0.1", key=rsa_key()),
            {"crl.pem": AUTHORITY.revoke(bad)},
        )
        self.assertEqual(self.post(self.open(server, self.client(folder / "good"))).status, 200)
        for name in ("bad", "strange", None):
            context = self.client(folder / name if name is not None else None)
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.post(self.open(server, context))
        self.assertEqual(server.rows("SELECT count(*) FROM CL_Test"), [(1,)])
        server.wait_until(lambda: "CN=old ivr, is refused: it has been revoked" in server.log())

    def test_secrets_stay_secret(self) -> None:
        """C6: no key is in the log at its finest level, in a command line or in an environment."""
        issued = AUTHORITY.issue("localhost", "127.0.0.1")
        api_key = "0123456789abcdefXYZ"
        server = self.make(
            issued=issued, files={"crm.key": api_key}, more='[[api_key]]\nname = "crm"\nkey_file = "crm.key"\n'
        )
        self.assertEqual(self.post(self.open(server)).status, 401)
        self.control(server).call("reload")
        os.kill(server.child_pid, signal.SIGKILL)
        server.wait_until(lambda: server.log().count("93002") > 1)
        self.assertEqual(self.post(self.open(server)).status, 401)
        shown = [server.log()]
        for pid in (server.pid, server.child_pid):
            shown += [Path(f"/proc/{pid}/{what}").read_bytes().decode("latin-1") for what in ("cmdline", "environ")]
        body = "".join(issued.key_pem.splitlines()[1:-1])
        for text in shown:
            for secret in ("PRIVATE KEY", body[:32], body[-32:], api_key):
                self.assertNotIn(secret, text)
