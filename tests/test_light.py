"""What a process loads only where it uses it: memory, and the time that a start takes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]

# Needed where TLS, an admin listener, mounted resources or an old store are.
HEAVY = ("OpenSSL", "cryptography", "service_identity", "twisted.web", "prometheus_client", "sqlalchemy", "alembic")

_LOADED = """
import json, sys
from ocsgw.quick_reactor import install_quick_reactor
install_quick_reactor()
from twisted.internet import reactor
{more}
print(json.dumps([name for name in sys.modules if sys.modules[name] is not None]))
"""
_PARENT = """
from twisted.application.service import Application
from ocsgw.tap import Options, make
options = Options()
options.parseOptions(["--config", {config!r}])
service, process = make(options)
service.setServiceParent(Application("ocsgw"))
def look():
    if service.life_cycle.state == "active":
        reactor.stop()
    else:
        reactor.callLater(0.05, look)
service.startService()
reactor.callWhenRunning(look)
reactor.run()
"""
_RUN = """
import gc, json, os, sys
os.dup2({link}, 3)
from ocsgw.proxy.__main__ import has_link, main
main()
print(json.dumps([[name for name in sys.modules if sys.modules[name] is not None], gc.isenabled()]))
"""
_CHILD = "import ocsgw.proxy.app"
_CONFIG = """
[application]
name = "OCS"
dbid = 134
[store]
url = "sqlite:///var/ocsgw.sqlite"
[[calling_list]]
dbid = 201
name = "CL_Test"
table = "CL_Test"
[[campaign]]
dbid = 301
name = "Campaign1"
calling_lists = ["CL_Test"]
[log]
target = "log"
"""


class LightTests(SynchronousTestCase):
    """Modules of processes that serve plain HTTP."""

    def loaded(self, more: str) -> set[str]:
        """Return the heavy packages that a process has loaded."""
        done = subprocess.run(
            [sys.executable, "-c", _LOADED.format(more=more)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = set(json.loads(done.stdout.splitlines()[-1]))
        return {heavy for heavy in HEAVY if any(name == heavy or name.startswith(f"{heavy}.") for name in names)}

    def test_parent(self) -> None:
        """OCS, after a first start with a new store."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        config = folder / "ocsgw.toml"
        config.write_text(_CONFIG, encoding="utf-8")
        more = _PARENT.format(config=str(config))
        self.assertEqual(self.loaded(more), set())
        self.assertTrue((folder / "var" / "ocsgw.sqlite").exists())

    def test_child(self) -> None:
        """HTTP Proxy."""
        self.assertEqual(self.loaded(_CHILD), set())

    def test_child_as_it_runs(self) -> None:
        """HTTP Proxy needs no asyncio, no clients for HTTP or mail, no second OpenSSL, and collects garbage at last."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            # It leaves as soon as it finds its link closed.
            ours.close()
            done = subprocess.run(
                [sys.executable, "-c", _RUN.format(link=theirs.fileno())],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=(theirs.fileno(),),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        loaded, collects = json.loads(done.stdout.splitlines()[-1])
        self.assertIn("twisted.internet.reactor", loaded)
        self.assertEqual({"asyncio", "email.parser", "http.client", "ssl", "urllib.request"} & set(loaded), set())
        self.assertFalse(collects)

    def test_tls_afterwards(self) -> None:
        """Where TLS is used, it is loaded later, and is all there."""
        found = self.loaded(
            "import ocsgw.proxy.http.secure, twisted.internet.ssl; ocsgw.proxy.http.secure.SecureFactory"
        )
        self.assertLessEqual({"OpenSSL", "cryptography"}, found)
