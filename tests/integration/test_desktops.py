"""Desktops and third-party applications on an `ocs` listener, with whole processes (protocol.md, R10)."""

import re
import ssl
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.client import Answer, BlockingClient, RefusedError, RequestError
from tests.integration.server import PATIENCE, Server, make_server
from tests.support.certificates import Authority

LISTENER = """
[[listener]]
id = "desktops"
protocol = "ocs"
interface = "127.0.0.1"
port = 0
"""
_READY = re.compile(r"93230 .* is ready on 127\.0\.0\.1:(\d+)")


class DesktopTestCase(SynchronousTestCase):
    """A test with a server that has an `ocs` listener."""

    tls: ssl.SSLContext | None = None

    def serve(self, listener: str = "", **options: str) -> Server:
        """Return a running server."""
        options["listener"] = options.get("listener", "") + LISTENER + listener
        self.server = make_server(self, **options).start()
        self.server.wait_until(lambda: _READY.search(self.server.log()) is not None)
        return self.server

    def connect(self, agent_id: str | None = None, **options: Any) -> BlockingClient:
        """Return a client; a desktop if it has an agent."""
        port = int(_READY.findall(self.server.log())[-1])
        options.setdefault("tls", self.tls)
        client = BlockingClient([("localhost", port)], agent_id=agent_id, timeout=PATIENCE, **options)
        self.addCleanup(client.close)
        return client

    def event(self, client: BlockingClient, name: str) -> Answer:
        """Return the next unsolicited event, which has to be of this name."""
        answer = client.next_event(PATIENCE)
        assert answer is not None, f"no {name} came"
        self.assertEqual(answer.event, name, answer.data)
        return answer

    def code(self, function: Any, *arguments: Any, **keys: Any) -> str:
        """Return the code of the Error that a request gets."""
        error: RequestError = self.assertRaises(RequestError, function, *arguments, **keys)
        return error.code

    def add(self, *phones: str, **keys: Any) -> None:
        """Add a chain of records over HTTP."""
        chain: dict[str, Any] = {}
        for phone in phones:
            answer = self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": phone, **chain, **keys})
            self.assertEqual(answer.status, 200, answer.body)
            chain = {"GSW_CHAIN_ID": answer.json["GSW_CHAIN_ID"]}


class SessionTests(DesktopTestCase):
    """Whole sessions."""

    def test_session(self) -> None:
        """Login, status, preview, chain, update, reschedule, do-not-call, processed; R10: finished over HTTP."""
        self.serve()
        self.add("6505550101", "6505550102")
        self.add("6505550103")
        desktop = self.connect("5001")
        started = self.event(desktop, "CampaignStarted").data
        self.assertEqual(started["GSW_CAMPAIGN_GROUP_DBID"], 102)
        self.assertNotIn("GSW_REFERENCE_ID", started)
        self.assertEqual(desktop.campaign_status(GSW_REFERENCE_ID=7).data, {**started, "GSW_REFERENCE_ID": 7})
        record = desktop.preview("Campaign1", GSW_REFERENCE_ID="a")
        self.assertEqual((record.event, record.phone), ("PreviewRecord", "6505550101"))
        self.assertEqual(record.data["GSW_REFERENCE_ID"], "a")
        handle = record.handle
        assert handle is not None
        self.assertEqual(record.data["GSW_RECORD_URI"], f"http://ocs.example:{self.server.port}/records/{handle}")
        chain = desktop.chained_records(handle)
        self.assertEqual([each["GSW_PHONE"] for each in chain.parts], ["6505550102"])
        self.assertEqual([each["GSW_USER_EVENT"] for each in chain.parts], ["ChainedRecord"])
        self.assertNotIn("GSW_CHAINED_RECORDS", chain.data)
        self.assertEqual(desktop.update(handle, GSW_CALL_RESULT="7").data["GSW_CALL_RESULT"], 7)
        desktop.reschedule(handle, "11/28/2036 09:30", GSW_PHONE="6505550102")
        self.assertEqual(desktop.processed(handle, 33).data["GSW_RECORD_HANDLE"], handle)
        self.assertEqual(self.code(desktop.processed, handle, 33), "invalid_handle")
        self.assertEqual(self.server.rows("SELECT agent_id FROM CL_Test WHERE record_id = 1"), [("5001",)])
        # The other one over HTTP.
        second = desktop.preview(102)
        answer = self.server.post(f"/records/{second.handle}?req=RecordProcessed", {"GSW_CALL_RESULT": 33})
        self.assertEqual(answer.status, 200)
        # And the other way round.
        self.add("6505550104")
        previewed = self.server.post("/campaigngroups/102?req=PreviewRecordRequest", {}).json
        third = self.connect()
        self.assertEqual(third.do_not_call(previewed["GSW_RECORD_HANDLE"]).event, "DoNotCallAcknowledge")
        third.processed(previewed["GSW_RECORD_HANDLE"], 51)
        self.assertEqual(self.code(desktop.request, "Nonsense", {}), "unknown_request")
        self.assertEqual(self.code(desktop.start_dialing, 102), "forbidden")

    def test_control(self) -> None:
        """A third-party application controls a group; everybody is shown what becomes of it, once and in order."""
        self.serve()
        desktop, third = self.connect("5001"), self.connect()
        for client in (desktop, third):
            self.event(client, "CampaignStarted")
        self.assertEqual(third.set_dialing_mode(102, "pushpreview").data["GSW_CAMPAIGN_MODE"], "PushPreview")
        third.stop_dialing(102)
        third.stop_dialing(102)
        third.unload_campaign(102)
        third.load_campaign("Campaign1")
        third.start_dialing(102)
        for client in (desktop, third):
            for name in ("ModeChanged", "Stopped", "Unloaded", "Loaded", "Started"):
                self.event(client, f"Campaign{name}")
        self.assertEqual(self.code(third.unload_campaign, 102), "invalid_state")

    def test_keys(self) -> None:
        """P86: an API key is needed where there are any; what it may not do is refused."""
        server = make_server(self, listener=LISTENER)
        (server.folder / "key").write_text("a secret of 24 characters")
        (server.folder / "key").chmod(0o600)
        server.configure(more='[[api_key]]\nname = "crm"\nkey_file = "key"\nactions = ["AddRecord"]\n')
        self.server = server.start()
        server.wait_until(lambda: _READY.search(server.log()) is not None)
        for key in (None, "wrong"):
            client = self.connect("5001", key=key)
            self.assertEqual(self.assertRaises(RefusedError, client.preview, 102).code, "unauthorized")
        client = self.connect("5001", key="a secret of 24 characters")
        self.assertEqual(client.add_record("CL_Test", "6505550100").event, "AddRecordAcknowledge")
        self.assertEqual(self.code(client.preview, 102), "forbidden")

    def test_stop(self) -> None:
        """P91: a stop is announced; the client is told that this server is not primary any more."""
        self.serve()
        client = self.connect("5001")
        client.campaign_status()
        self.assertEqual(self.server.stop(), 0)
        self.assertIn("93235", self.server.log())


class SecureSessionTests(DesktopTestCase):
    """The same over TLS."""

    def test_mutual_tls(self) -> None:
        """A client certificate says who the client is; without one there is no session."""
        authority = Authority()
        server = make_server(self)
        authority.issue("localhost").write(server.folder, "server")
        authority.issue(subject="crm").write(server.folder, "client")
        (server.folder / "ca.pem").write_text(authority.pem)
        tls = (
            '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
            'trusted_ca = "ca.pem"\ntls_mutual = true\n'
        )
        server.configure(listener=LISTENER + tls)
        self.server = server.start()
        server.wait_until(lambda: "93230" in server.log())
        context = ssl.create_default_context(cafile=str(server.folder / "ca.pem"))
        context.load_cert_chain(server.folder / "client.pem", server.folder / "client.key")
        self.tls = context
        self.add("6505550101")
        desktop = self.connect("5001")
        handle = desktop.preview(102).handle
        assert handle is not None
        self.assertEqual(desktop.reject(handle).event, "RecordRejectAcknowledge")
        self.assertIn("principal CN=crm", server.log())
