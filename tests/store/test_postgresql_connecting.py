"""How a database is connected to: TLS, passwords, several hosts; and what is said where that fails."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import parse
from ocsgw.config.part import Secret
from ocsgw.store.errors import StoreError
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from tests.integration.server import CONFIG
from tests.support.certificates import Authority
from tests.support.postgresql import PASSWORD, USER, PostgreSQL, shared_postgresql
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported
from tests.support.rules import make_directory

_DATABASE = "ocsgw"


class _Secured:
    """A server with TLS, made once for all tests: for `db.test` and for clients of its authority."""

    def __init__(self) -> None:
        self.authority, self.clients = Authority("Servers"), Authority("Clients")
        self.server = server = PostgreSQL()
        issued = self.authority.issue("db.test")
        certificate = server.keep("server.pem", issued.pem)
        key = server.keep("server.key", issued.key_pem)
        clients = server.keep("clients.pem", self.clients.pem)
        rules = server.keep(
            "pg_hba.conf",
            f"local all all trust\nhostssl {_DATABASE} all 127.0.0.1/32 scram-sha-256\n"
            "hostssl both all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"
            "hostssl certificate all 127.0.0.1/32 cert\n",
        )
        server.settings += [
            "ssl=on",
            f"ssl_cert_file={certificate}",
            f"ssl_key_file={key}",
            f"ssl_ca_file={clients}",
            f"hba_file={rules}",
        ]
        server.start()
        for name in (_DATABASE, "both", "certificate"):
            server.make_database(name)


@functools.cache
def _secured() -> _Secured:
    made = _Secured()
    atexit.register(made.server.remove)
    return made


class ConnectingTestCase(SynchronousTestCase):
    """Addresses that are tried."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def opened(self, url: str, password: str | None = PASSWORD) -> PostgreSQLEngine:
        """Open a store."""
        secret = Secret(password) if password is not None else None
        engine = PostgreSQLEngine(PostgreSQLSettings(url, secret), unreported)
        self.addCleanup(engine.close)
        engine.open(make_directory())
        return engine

    def refusal(self, url: str, password: str | None = PASSWORD) -> str:
        """Return why a store cannot be opened."""
        text = str(self.assertRaises(StoreError, self.opened, url, password))
        self.assertNotIn(PASSWORD, text)
        self.assertNotIn("\n", text)
        return text


class TLSTests(ConnectingTestCase):
    """`sslmode=verify-full`, against a real server."""

    def setUp(self) -> None:
        super().setUp()
        self.secured = _secured()
        self.authority = self.folder / "authority.pem"
        self.authority.write_text(self.secured.authority.pem, encoding="ascii")

    def url(self, database: str = _DATABASE, *, host: str = "db.test", **parameters: str | Path) -> str:
        """Return the address; the name of the host is only that of the certificate."""
        given: dict[str, str | Path] = {
            "hostaddr": "127.0.0.1",
            "sslmode": "verify-full",
            "sslrootcert": self.authority,
            **parameters,
        }
        return f"postgresql://{USER}@{host}:{self.secured.server.port}/{database}?{urlencode(given)}"

    def test_verified(self) -> None:
        """With the authority of the server and a name of its certificate the connection is encrypted."""
        self.opened(self.url())
        rows = self.secured.server.query(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            f" WHERE datname = '{_DATABASE}' AND application_name = 'ocsgw'",
            _DATABASE,
        )
        self.assertEqual({row[0] for row in rows}, {"t"})

    def test_other_authority(self) -> None:
        """A server of another authority is not believed."""
        other = self.folder / "other.pem"
        other.write_text(Authority("Others").pem, encoding="ascii")
        text = self.refusal(self.url(sslrootcert=other))
        self.assertIn("the store ocsgw on db.test cannot be opened: ", text)
        self.assertIn(f"port {self.secured.server.port} failed: SSL error: certificate verify failed", text)
        self.assertIn("is not from an authority in sslrootcert of [store] url", text)

    def test_other_name(self) -> None:
        """A server whose certificate is for another name is not believed; both names are said."""
        text = self.refusal(self.url(host="elsewhere.test"))
        self.assertIn('server certificate for "db.test" does not match host name "elsewhere.test"', text)
        self.assertIn("use a name of the certificate as host in [store] url", text)

    def test_no_authority(self) -> None:
        """A file with authorities that is not there is named."""
        text = self.refusal(self.url(sslrootcert=self.folder / "none.pem"))
        self.assertIn(f'root certificate file "{self.folder}/none.pem" does not exist', text)

    def test_server_without_tls(self) -> None:
        """A server without TLS is not connected to without."""
        server = shared_postgresql()
        text = self.refusal(
            f"postgresql://{USER}@127.0.0.1:{server.port}/postgres?sslmode=verify-full&sslrootcert={self.authority}"
        )
        self.assertIn("server does not support SSL, but SSL was required; switch ssl on", text)

    def test_client_certificate(self) -> None:
        """Where the server wants one: it is used, alone or beside the password, and what is wrong with it is said."""
        self.secured.clients.issue(subject=USER).write(self.folder, "client")
        Authority("Others").issue(subject=USER).write(self.folder, "stranger")
        self.secured.clients.issue(subject="somebody").write(self.folder, "somebody")

        def own(database: str, name: str) -> str:
            return self.url(database, sslcert=self.folder / f"{name}.pem", sslkey=self.folder / f"{name}.key")

        self.opened(own("both", "client"))
        self.opened(own("certificate", "client"), None)
        for name, said in (
            ("stranger", "the server does not know the authority of sslcert"),
            ("somebody", "the server wants the user of [store] url as common name of sslcert"),
        ):
            self.assertIn(said, self.refusal(own("certificate", name), None))
        text = self.refusal(self.url("both"))
        self.assertIn("requires a valid client certificate; name certificate and key of this client with sslcert", text)
        (self.folder / "client.key").chmod(0o644)
        text = self.refusal(own("certificate", "client"), None)
        self.assertIn(f'private key file "{self.folder}/client.key" has group or world access', text)

    def test_not_encrypted(self) -> None:
        """Where the server takes only what is encrypted, another client is told so."""
        text = self.refusal(self.url(sslmode="disable"))
        self.assertIn("no encryption; let this client in with a line in pg_hba.conf", text)


class PasswordTests(ConnectingTestCase):
    """Where the password comes from."""

    def test_file_and_credential(self) -> None:
        """A file beside the configuration, or a credential of the service manager."""
        url = new_database(self)
        (self.folder / "database").write_text(f"{PASSWORD}\n", encoding="ascii")
        (self.folder / "database").chmod(0o600)
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": str(self.folder)})
        for written in ("database", "credential:database"):
            store = f'url = "{url}"\npassword_file = "{written}"'
            text = CONFIG.format(reconnect="1s", application="", store=store, port=0, listener="", more="")
            engine = PostgreSQLEngine(parse(text, self.folder / "ocsgw.toml").store, unreported)
            self.addCleanup(engine.close)
            engine.open(make_directory())

    def test_none_or_a_wrong_one(self) -> None:
        """What is missing or wrong is said, with the user and where to write it."""
        url = new_database(self)
        self.assertIn("no password supplied; name a file with the password", self.refusal(url, None))
        text = self.refusal(url, "wrong")
        self.assertIn(f'password authentication failed for user "{USER}"; look at the user in [store] url', text)
        self.assertNotIn("wrong", text)


class ManyHostsTests(ConnectingTestCase):
    """`target_session_attrs=read-write`."""

    def test_whichever_can_write(self) -> None:
        """Of two servers that one is taken which can write; after they have changed, the other one."""
        standby = PostgreSQL()
        self.addCleanup(standby.remove)
        standby.start().make_database("ocsgw")
        standby.stop()
        standby.settings.append("default_transaction_read_only=on")
        standby.start()
        primary = PostgreSQL()
        self.addCleanup(primary.remove)
        primary.start().make_database("ocsgw")
        hosts = f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}"
        url = f"postgresql://{USER}@{hosts}/ocsgw?target_session_attrs=read-write"
        engine = self.opened(url)

        def ports() -> list[int]:
            query = "SELECT 1 FROM pg_stat_activity WHERE datname = 'ocsgw' AND application_name = 'ocsgw'"
            return [each.port for each in (standby, primary) if each.query(query)]

        self.assertEqual(ports(), [primary.port])
        with engine.transaction(1.0) as tx:
            self.assertEqual(tx.new_handles(1), 1)
        primary.kill()
        text = self.refusal(url)
        self.assertIn("the store ocsgw on 127.0.0.1, 127.0.0.1 cannot be opened: ", text)
        self.assertIn("session is read-only", text)
        self.assertIn(f"port {primary.port} failed: Connection refused", text)
        self.assertIn("no server of [store] url can be written to now", text)
        standby.stop()
        standby.settings.clear()
        standby.start()
        self.opened(url)
        self.assertEqual(
            standby.query("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'ocsgw'"), [["t"]]
        )
