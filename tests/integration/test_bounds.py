"""A server all of whose numbers are at their upper bounds works like any other."""

import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config.schema import Key
from ocsgw.config.values import Range
from tests.config.support import tables
from tests.integration.server import make_server

# Numbers that are not limits: which ones a server has is a matter of its place.
_OTHER = {"dbid", "port", "public_port", "workers", "length", "sequence"}
# They have to fit another key.
_FITTING = {
    "limits": {"frame": '"2GiB"'},
    "ha": {"renew_interval": '"20m"'},
    "pre_dial_validation": {"http_response_timeout": '"1h"'},
    "notifications": {"http_response_timeout": '"1h"'},
}


def highest(table: str) -> str:
    """Return lines with each number of a table at its upper bound."""
    keys = dict(tables())[tuple(table.split("."))].keys
    lines = []
    for name, key in keys.items():
        if isinstance(key, Key) and isinstance(key.read, Range) and name not in _OTHER:
            bound = key.read.highest
            written = bound if bound.isdigit() else f'"{bound}"'
            lines.append(f"{name} = {_FITTING.get(table, {}).get(name, written)}")
    return "\n".join(lines)


class HighestTests(SynchronousTestCase):
    """Whatever the configuration takes, the parts of the server take as well."""

    def test_all_at_once(self) -> None:
        """A record is added, handed out and finished; a reload, an unexpected end of the proxy, and a stop work."""
        single = ("limits", "do_not_call", "ha", "pre_dial_validation", "notifications", "treatments")
        more = "\n".join(f"[{table}]\n{highest(table)}" for table in single)
        server = make_server(self, listener=highest("listener"), more=more, reconnect="100ms")
        text = server.config.read_text(encoding="utf-8")
        self.assertIn("write_timeout", text)
        server.start()
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        # As deep as a body may be, in a member that means nothing to anybody, and one level deeper.
        for depth, status in ((99, 200), (100, 400)):
            deep = b'{"GSW_PHONE":"2","x":' + b"[" * depth + b"]" * depth + b"}"
            self.assertEqual(server.post("/lists/CL_CALLBACK?req=AddRecord", deep).status, status, depth)
        handed_out = server.post("/campaigngroups/102?req=PreviewRecordRequest")
        self.assertEqual(handed_out.status, 200, handed_out.body)
        handle = handed_out.json["GSW_RECORD_HANDLE"]
        server.reload()
        child = server.child_pid
        os.kill(child, signal.SIGKILL)
        server.wait_until(lambda: server.child_pid != child and server.serves())
        done = server.post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": 33})
        self.assertEqual(done.status, 200, done.body)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn("Traceback", server.log())

    def test_groups_and_treatments(self) -> None:
        """Times that go into records are taken at their highest too."""
        server = make_server(
            self,
            more=f'[treatments]\non_processed = true\n[[treatment]]\ndbid = 1\nname = "again"\ncall_result = 6\n'
            f'action = "retry_in"\n{highest("treatment")}\n',
        )
        text = server.config.read_text(encoding="utf-8")
        server.start()
        text = text.replace('record_timeout = "10m"', highest("campaign_group")).replace(
            "port = 0", f"port = {server.port}"
        )
        server.config.write_text(text, encoding="utf-8")
        server.reload()
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        handle = server.post("/campaigngroups/102?req=PreviewRecordRequest").json["GSW_RECORD_HANDLE"]
        done = server.post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": "Busy"})
        self.assertEqual(done.status, 200, done.body)
