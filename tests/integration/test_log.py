"""The one log of a real server: rotation, the trace of the link, what never stands in it."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import ROOT, Server, make_server

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|trace|info|warning|error) +\d{5} \S|\t'")
# A folder with the log beside the configuration, as [log] target.
_TARGET = 'target = "ocs.log"\n'


class LogTests(SynchronousTestCase):
    """One log for OCS and its proxies."""

    def start(self, log: str) -> Server:
        """Start a server with more in [log]; `Server.log` reads the target."""
        server = make_server(self, more=_TARGET + log)
        server.log_path = server.folder / "ocs.log"
        return server.start()

    def test_rotation(self) -> None:
        """R29: after a rename and SIGUSR1 the log goes on in a new file; no line is lost, none stands in both."""
        server = self.start("http_trace = true")
        moved = []
        for turn in range(3):
            self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": f"650555010{turn}"}).status, 200)
            moved.append(server.folder / f"ocs.log.{turn}")
            server.log_path.rename(moved[-1])
            os.kill(server.pid, signal.SIGUSR1)
            server.wait_until(lambda: "93038 The log was opened again" in server.log())
        self.assertEqual(server.stop(), 0)
        whole = "".join(path.read_text(encoding="utf-8") for path in (*moved, server.log_path))
        self.assertEqual(whole.count("::mesage received"), 3)
        self.assertEqual(whole.count("93038"), 3)
        self.assertIn("93031 OCS stopped", server.log())

    def test_logrotate(self) -> None:
        """The supplied file for logrotate moves the log, and the server goes on in a new one."""
        text = (ROOT / "etc" / "logrotate" / "ocsgw").read_text(encoding="utf-8")
        self.assertIn("--signal=USR1 ocsgw.service 'ocsgw@*.service'", text)
        program = shutil.which("logrotate", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            # Without logrotate the rest of this is what test_rotation shows.
            return
        server = self.start("")
        ours = (
            text.replace("/var/log/ocsgw/*.log", str(server.log_path))
            .replace("    su ocsgw ocsgw\n", "")
            .replace(
                "systemctl kill --kill-whom=main --signal=USR1 ocsgw.service 'ocsgw@*.service'",
                f"kill -USR1 {server.pid}",
            )
        )
        rules = server.folder / "logrotate.conf"
        rules.write_text(ours, encoding="utf-8")
        rules.chmod(0o600)
        command = [program, "--force", "--state", str(server.folder / "state"), str(rules)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        server.wait_until(lambda: server.log_path.exists() and "93038" in server.log())
        self.assertIn("93002", Path(f"{server.log_path}.1").read_text(encoding="utf-8"))

    def test_access_log(self) -> None:
        """Each answer has a line; a reload switches the log on and off, and a rotation loses none."""
        server = self.start("")
        path = server.folder / "access.log"
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100"}).status, 200)
        server.configure(more=f'{_TARGET}access = "access.log"')
        server.reload()
        self.assertEqual(server.post("/phones/6505550177?req=DoNotCall").status, 200)
        expected = '"POST /phones/********77?req=DoNotCall HTTP/1.1" 200'
        server.wait_until(lambda: path.exists() and expected in path.read_text(encoding="utf-8"))
        moved = path.rename(server.folder / "access.log.1")
        os.kill(server.pid, signal.SIGUSR1)
        server.wait_until(lambda: "93038" in server.log())
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550101"}).status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(moved.read_text(encoding="utf-8").splitlines()), 1)
        self.assertIn('"POST /lists/CL_Test?req=AddRecord HTTP/1.1" 200', path.read_text(encoding="utf-8"))

    def test_trace(self) -> None:
        """K62, R54: each message on the link is in the log, no contact, customer id or custom field in clear."""
        server = self.start("http_trace = true")
        secrets = {"GSW_PHONE": "6505550177", "GSW_CUSTOMER_ID": "secret-customer", "Segment": "secret-segment"}
        self.assertEqual(
            server.post("/lists/CL_Test?req=AddRecord", {**secrets, "no\nsuch\tfield": "x\ny"}).status, 200
        )
        self.assertEqual(server.post("/phones/6505550177?req=DoNotCall").status, 200)
        server.wait_until(lambda: "'DoNotCallAcknowledge'" in server.log())
        log = server.log()
        self.assertIn("\t'GSW_AGENT_REQ_TYPE'\t'AddRecord'\n", log)
        self.assertIn("\t'GSW_PHONE'\t[str] = \"********77\"\n", log)
        self.assertRegex(log, rf"HTTPProxyClient default {server.child_pid} request \d+::mesage received\n")
        for secret in (*secrets.values(), "x\\ny"):
            self.assertNotIn(secret, log)
        for line in log.split("\n")[:-1]:
            self.assertRegex(line, _LINE)
        # C66: log options count at once.
        server.configure(more=_TARGET + 'http_trace = true\ncontacts = "clear"')
        server.reload()
        self.assertEqual(server.post("/phones/6505550177?req=DoNotCall").status, 200)
        server.wait_until(lambda: '"6505550177"' in server.log())
        server.configure(more=_TARGET)
        server.reload()
        before = server.log().count("HTTPProxyClient")
        self.assertEqual(server.post("/phones/6505550178?req=DoNotCall").status, 200)
        self.assertEqual(server.log().count("HTTPProxyClient"), before)

    def test_stuck_reader(self) -> None:
        """A reader of standard output that takes nothing delays no answer."""
        server = make_server(self, more="http_trace = true").start()
        port, log = server.port, server.log_path
        self.assertEqual(server.stop(), 0)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with os.fdopen(writer, "wb") as pipe:
            server.spawn(output=pipe)
        end = time.monotonic() + 30
        while not server.serves() and time.monotonic() < end:
            time.sleep(0.05)
        for count in range(400):
            body = {"GSW_PHONE": f"65055{count:05d}", "Remarks": "x" * 200}
            self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", body).status, 200)
        self.assertEqual((server.port, server.stop()), (port, 0))
        self.assertNotIn("6505500399", log.read_text(encoding="utf-8"))
