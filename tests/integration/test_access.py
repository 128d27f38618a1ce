"""Access at a real server: two principals, rotation without a lost request, secrets, the audit log."""

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import threading
from http.client import HTTPSConnection
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PATIENCE, ROOT, Answer, make_server
from tests.support.certificates import Authority

_ADD = "/lists/CL_Test?req=AddRecord"
_PREVIEW = "/campaigngroups/102?req=PreviewRecordRequest"
_PHONE = {"GSW_PHONE": "6505550100"}
_STATUS = "/campaigngroups/102?req=CampaignStatusRequest"
# How often a key is replaced while requests are on their way.
_ROTATIONS = int(os.environ.get("OCSGW_KEY_ROTATIONS", "4"))
_CLIENTS = 4
_AUDIT = "[audit]\nenabled = true\n"


def field(answer: Answer, name: str) -> str | None:
    """Return a field of an answer; its name counts in any case."""
    return {key.lower(): value for key, value in answer.headers.items()}.get(name.lower())


class AccessTestCase(SynchronousTestCase):
    """A server whose keys are made as an operator makes them."""

    def setUp(self) -> None:
        self.server = make_server(self)
        self.keys: dict[str, str] = {}

    def create(self, name: str, *options: str) -> str:
        """Make a key with the command, and return the lines for the configuration."""
        arguments = ("ocsgw", "key", "create", name, "--config", str(self.server.config), *options)
        made = self.run_module(*arguments)
        self.assertEqual(made.returncode, 0, made.stderr)
        lines = made.stderr.partition("[[api_key]]")
        self.keys[options[1] if options else name] = made.stdout.strip()
        return f"[[api_key]]{lines[2]}"

    def run_module(self, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the commands."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def post(self, who: str | None, target: str = _ADD, body: object = _PHONE, **headers: str) -> Answer:
        """Send a request with a key."""
        if who is not None:
            headers["Authorization"] = f"Bearer {self.keys.get(who, who)}"
        return self.server.post(target, body, headers)

    def verify(self, *files: Path) -> "subprocess.CompletedProcess[str]":
        """Verify the audit log."""
        return self.run_module("ocsgw.ctl", "-c", str(self.server.config), "audit", "verify", *map(str, files))

    def audited(self) -> list[dict[str, object]]:
        """Return the lines of the audit log."""
        path = self.server.folder / "var" / "audit.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def changes(self) -> list[tuple[object, object, object]]:
        """Return principal, action and list of each change in the audit log."""
        found = [line for line in self.audited() if "principal" in line]
        return [(line["principal"], line["action"], line.get("list")) for line in found]


class PrincipalTests(AccessTestCase):
    """http.md section 13, and beyond it."""

    def test_two_principals(self) -> None:
        """H340 to H347: 200, 401, 403 and 429; what is refused changes nothing; every change is in the audit log."""
        crm = self.create("crm") + 'actions = ["AddRecord", "DoNotCall"]\ncalling_lists = ["CL_Test"]\n'
        ivr = self.create("ivr") + 'calling_lists = ["CL_CALLBACK"]\n'
        self.assertEqual(stat.S_IMODE((self.server.folder / "keys" / "crm.key").stat().st_mode), 0o600)
        self.server.configure(more=f"{crm}{ivr}{_AUDIT}[limits]\naddress_rate = 1000\n")
        self.server.start()
        rows = (
            ("crm", _ADD, 200, None),
            ("crm", "/lists/CL_CALLBACK?req=AddRecord", 403, "calling_list"),
            ("crm", "/lists/none?req=AddRecord", 404, None),
            ("crm", _PREVIEW, 403, "action"),
            ("ivr", _ADD, 403, "calling_list"),
            ("ivr", "/lists/CL_CALLBACK?req=AddRecord", 200, None),
            ("ivr", "/phones/6505550100?req=DoNotCall", 200, None),
            (None, _ADD, 401, None),
            ("wrong", _ADD, 401, None),
            (self.keys["crm"] + "x", _ADD, 401, None),
            ("sha256:" + "0" * 64, _ADD, 401, None),
        )
        for who, target, status, missing in rows:
            answer = self.post(who, target, _PHONE if "AddRecord" in target else None)
            self.assertEqual(answer.status, status, (who, target, answer.body))
            self.assertEqual(answer.json.get("GSW_MISSING_PERMISSION"), missing)
            self.assertEqual(field(answer, "RateLimit-Limit"), "1000")
        self.assertEqual(self.server.rows("SELECT count(*), sum(record_type = 7) FROM CL_Test"), [(1, 0)])
        self.assertEqual(self.server.rows("SELECT count(*), sum(record_type = 7) FROM CL_CALLBACK"), [(1, 1)])
        handle = self.post("ivr", _PREVIEW, None).json
        self.assertEqual(handle["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual(
            self.changes(),
            [
                ("crm", "AddRecord", "CL_Test"),
                ("ivr", "AddRecord", "CL_CALLBACK"),
                ("ivr", "DoNotCall", None),
            ],
        )
        self.server.configure(more=f"{crm}{ivr}{_AUDIT}[limits]\nprincipal_rate = 1\n")
        self.server.reload()
        answers = [self.post("crm") for _ in range(10)]
        self.assertEqual({answer.status for answer in answers}, {200, 429})
        refused = next(answer for answer in answers if answer.status == 429)
        self.assertEqual((field(refused, "Retry-After"), field(refused, "RateLimit-Remaining")), ("1", "0"))
        acknowledged = sum(answer.status == 200 for answer in answers)
        self.assertEqual(self.server.rows("SELECT count(*) FROM CL_Test"), [(1 + acknowledged,)])

    def test_rotation(self) -> None:
        """C66: keys change hands by reloads under load, and no request with a key that counts is lost."""
        first, second = self.create("crm"), self.create("crm", "--file", "second.key")
        self.server.configure(more=first)
        self.server.start()
        keys = {"old": self.keys["crm"], "new": self.keys["second.key"]}
        key, stopped = keys["old"], threading.Event()
        statuses: list[int] = []

        def load() -> None:
            while not stopped.is_set():
                statuses.append(self.post(key).status)

        threads = [threading.Thread(target=load) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(_ROTATIONS):
                self.server.configure(more=first + second)
                self.server.reload()
                other = keys["new" if turn % 2 == 0 else "old"]
                self.server.wait_until(lambda now=other: self.post(now, _STATUS).status == 200)
                key = other
                # Whoever has read the old key sends it once more at most; let that be answered.
                sent = len(statuses) + _CLIENTS
                self.server.wait_until(lambda least=sent: len(statuses) > least)
                self.server.configure(more=second if turn % 2 == 0 else first)
                self.server.reload()
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
        self.assertEqual(set(statuses), {200})
        self.assertEqual(self.server.rows("SELECT count(*) FROM CL_Test"), [(len(statuses),)])
        other = keys["old"] if key == keys["new"] else keys["new"]
        self.server.wait_until(lambda: self.post(other).status == 401)


class SecretTests(AccessTestCase):
    """Secrets are in files only."""

    def test_nowhere_else(self) -> None:
        """C6, H347: no key, and no digest of one, is in a log with everything on, an argument or an environment."""
        table = self.create("crm")
        self.server.configure(more=f"http_trace = true\n{table}{_AUDIT}")
        self.server.start()
        self.assertEqual(self.post("crm").status, 200)
        self.assertEqual(self.post(f"{self.keys['crm']}x").status, 401)
        self.assertEqual(self.server.post(f"/lists/CL_Test?req={self.keys['crm']}", _PHONE).status, 401)
        self.server.reload()
        digest = (self.server.folder / "keys" / "crm.key").read_text(encoding="ascii").strip()
        texts = [self.server.log(), json.dumps(self.audited())]
        texts += [
            Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
            for pid in (self.server.pid, self.server.child_pid)
            for name in ("cmdline", "environ")
        ]
        for text in texts:
            self.assertNotIn(self.keys["crm"], text)
            self.assertNotIn(digest.removeprefix("sha256:"), text)

    def test_open_to_others(self) -> None:
        """C33, C6: without authentication, or with a key that all may read, nothing starts; status 78 with a hint."""
        self.server.configure(listener="[[listener]]\nid = 'x'\nprotocol = 'http'\nport = 0\ninterface = '0.0.0.0'\n")
        refused = self.run_module("ocsgw", "run", "--config", str(self.server.config))
        self.assertEqual(refused.returncode, 78)
        self.assertIn("allow_anonymous = true", refused.stderr)
        table = self.create("crm")
        (self.server.folder / "keys" / "crm.key").chmod(0o644)
        self.server.configure(listener="", more=table)
        refused = self.run_module("ocsgw", "run", "--config", str(self.server.config))
        self.assertEqual(refused.returncode, 78)
        self.assertIn("chmod o=", refused.stderr)


class CertificateTests(AccessTestCase):
    """Client certificates as principals."""

    def test_permissions(self) -> None:
        """H321, H343, H344: a certificate has the permissions of its entry; one without an entry, or none, is 401."""
        authority = Authority()
        folder = self.server.folder
        authority.issue("localhost", "127.0.0.1").write(folder, "server")
        for name in ("crm", "stranger"):
            authority.issue(subject=name).write(folder, name)
        (folder / "ca.pem").write_text(authority.pem, encoding="ascii")
        tls = '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
        tls += 'trusted_ca = "ca.pem"\ntls_mutual = "optional"\n'
        entry = '[[client_certificate]]\nname = "crm"\ncalling_lists = ["CL_Test"]\n'
        self.server.configure(listener=tls, more=f"{entry}{_AUDIT}")
        self.server.start()
        for name, target, status in (
            ("crm", _ADD, 200),
            ("crm", "/lists/CL_CALLBACK?req=AddRecord", 403),
            ("stranger", _ADD, 401),
            ("", _ADD, 401),
        ):
            context = ssl.create_default_context(cadata=authority.pem)
            if name:
                context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
            connection = HTTPSConnection("127.0.0.1", self.server.port, timeout=PATIENCE, context=context)
            self.addCleanup(connection.close)
            connection.request("POST", target, json.dumps(_PHONE))
            self.assertEqual(connection.getresponse().status, status, (name, target))
        self.assertEqual(self.changes(), [("crm", "AddRecord", "CL_Test")])


class AuditTests(AccessTestCase):
    """The audit log of a real server."""

    def test_operator(self) -> None:
        """What ocsctl changes is in the log too, whether the server runs or not, and the chain is one."""
        self.server.configure(more=_AUDIT)
        (self.server.folder / "rows.csv").write_text("contact_info\n1\n2\n", encoding="ascii")
        self.server.start()
        for options in ((), ("--again", "--duplicates", "add")):
            command = ("-c", str(self.server.config), "list", "import", "CL_Test", "rows.csv", *options)
            done = self.run_module("ocsgw.ctl", *command)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.server.stop()
        orders = [line for line in self.audited() if line["action"] == "import"]
        self.assertEqual(
            [(line["address"], line["target"], line["added"]) for line in orders], [("ocsctl", "list CL_Test", 2)] * 2
        )
        self.assertEqual(self.verify().returncode, 0)

    def test_kill_and_rotation(self) -> None:
        """After kill -9, a torn line and a rotation every acknowledged change is there and the chain is unbroken."""
        self.server.configure(more=_AUDIT)
        self.server.start()
        log = self.server.folder / "var" / "audit.jsonl"
        for at in range(5):
            self.assertEqual(self.post(None, body={"GSW_PHONE": f"650555010{at}"}).status, 200)
        self.server.kill_parent()
        with log.open("ab") as file:
            file.write(b'{"n":7,"time":"20')
        self.server.start()
        self.assertEqual(self.post(None).status, 200)
        moved = log.with_name("audit.jsonl.1")
        log.rename(moved)
        os.kill(self.server.pid, signal.SIGUSR1)
        self.server.wait_until(log.exists)
        self.assertEqual(self.post(None, _PREVIEW, None).status, 200)
        self.assertEqual([line["action"] for line in self.audited()], ["begin", "PreviewRecordRequest"])
        done = self.verify(moved, log)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("10 lines, unbroken", done.stdout)
        self.assertEqual(self.verify().returncode, 0)
        self.assertEqual(self.server.stop(), 0)
        moved.write_bytes(moved.read_bytes().replace(b'********02"', b'********12"', 1))
        changed = self.verify(moved, log)
        self.assertEqual((changed.returncode, changed.stdout), (1, ""))
        self.assertIn("audit.jsonl.1:5: does not carry the hash", changed.stderr)
        self.assertIn("cannot read", self.verify(log.with_name("none")).stderr)
