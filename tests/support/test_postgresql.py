"""The servers that tests of PostgreSQL stand on."""

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.support.postgresql import PASSWORD, USER, PgBouncer, PostgreSQL, _program, _run, database, shared_postgresql


class PostgreSQLTests(SynchronousTestCase):
    """A server, its databases, a crash, and a pooler."""

    def ask(self, port: int, sql: str, password: str = PASSWORD) -> str:
        """Ask over TCP, as the product does."""
        self.patch(os, "environ", {**os.environ, "PGPASSWORD": password})
        address = ("-h", "127.0.0.1", "-p", str(port), "-U", USER, "-d", "postgres", "-w")
        done = _run(_program("psql"), "-XqAt", *address, "-c", sql)
        return (done.stdout + done.stderr).strip()

    def test_databases(self) -> None:
        """Each test has a database of its own, made from a template; the shared server is there at once."""
        server = shared_postgresql()
        with database(server, "first") as url:
            self.assertEqual(url, f"postgresql://{USER}@127.0.0.1:{server.port}/first")
            server.query("CREATE TABLE t (n integer)", "first")
            server.query("INSERT INTO t VALUES (1), (2)", "first")
            server.make_database("copy", template="first")
            self.assertEqual(server.query("SELECT n FROM t ORDER BY n", "copy"), [["1"], ["2"]])
            server.drop_database("copy")
        begun = time.monotonic()
        self.assertIs(shared_postgresql(), server)
        self.assertLess(time.monotonic() - begun, 0.1)
        self.assertNotIn(["first"], server.query("SELECT datname FROM pg_database"))

    def test_password(self) -> None:
        """Over TCP the password counts."""
        server = shared_postgresql()
        self.assertEqual(self.ask(server.port, "SELECT 1"), "1")
        self.assertIn("password authentication failed", self.ask(server.port, "SELECT 1", "wrong"))

    def test_crash(self) -> None:
        """What was committed is there after a crash; after the end nothing is left."""
        server = PostgreSQL(durable=True)
        self.addCleanup(server.remove)
        server.start()
        server.query("CREATE TABLE t (n integer)")
        server.query("INSERT INTO t VALUES (1)")
        first = server.pid
        server.kill()
        server.start()
        self.assertNotEqual(server.pid, first)
        self.assertEqual(server.query("SELECT n FROM t"), [["1"]])
        server.remove()
        self.assertFalse(server.folder.exists())

    def test_pooler(self) -> None:
        """PgBouncer hands connections of the server to its clients."""
        server = shared_postgresql()
        pooler = PgBouncer(server)
        self.addCleanup(pooler.remove)
        pooler.start()
        self.assertNotEqual(pooler.port, server.port)
        self.assertEqual(self.ask(pooler.port, "SELECT current_user"), USER)
        pooler.remove()
        self.assertFalse(pooler.folder.exists())
