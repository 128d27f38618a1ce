"""Desktops and third-party applications on an `ocs` listener, with whole processes (protocol.md, R10)."""

import re
import ssl
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.client import Answer, BlockingClient, RefusedError, RequestError
from tests.integration.receiver import receive
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


def ocs_port_of(server: Server) -> int:
    """Return the port of the `ocs` listener of a server."""
    return int(_READY.findall(server.log())[-1])


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
        port = ocs_port_of(self.server)
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

    def test_control(self) -> None:
        """P50: a third-party application controls a group; everybody is shown what becomes of it, once and in order."""
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


class ConversationTests(DesktopTestCase):
    """A conversation of two agents about records, over TCP; over TLS in the next class."""

    listener = LISTENER

    def prepare(self) -> None:
        self.serve(more="[desktop]\nagent_logout_preview_call_result = 21\n")

    def test_conversation(self) -> None:
        """Consult, transfer, end; a cancel while holding a record; a callback by itself; logout with a record."""
        self.prepare()
        for phone in ("6505550101", "6505550102", "6505550103"):
            self.add(phone)
        first, second = self.connect("5001"), self.connect("5002")
        for client in (first, second):
            self.event(client, "CampaignStarted")
        handle = first.preview(102).handle
        assert handle is not None
        # Consult: the second agent may read.
        first.share(handle, "Consult", "5002")
        shared = self.event(second, "RecordShared")
        self.assertEqual((shared.handle, shared.phone), (handle, "6505550101"))
        self.assertEqual(second.chained_records(handle).event, "ChainedRecordsDataEnd")
        self.assertEqual(self.code(second.processed, handle, 33), "invalid_state")
        # Transfer: the second agent alone has it, and ends it.
        first.share(handle, "Transfer", "5002")
        self.assertEqual(second.processed(handle, 33).handle, handle)
        self.assertEqual(self.code(first.processed, handle, 33), "invalid_handle")
        self.assertEqual(self.server.rows("SELECT agent_id FROM CL_Test WHERE record_id = 1"), [("5002",)])
        # Somebody else cancels what the first agent holds.
        held = first.preview(102)
        answer = self.server.post(f"/phones/{held.phone}?req=RequestRecordCancel", {})
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.event(first, "RecordCancel").handle, held.handle)
        # A callback comes by itself, and is left behind at the logout.
        keys = {"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "01/01/2020 00:00", "GSW_AGENT_ID": "5001"}
        self.add("6505550104", **keys)
        call = self.event(first, "ScheduledCall")
        self.assertEqual(call.phone, "6505550104")
        self.assertEqual(first.log_out().event, "LogOutAcknowledge")
        self.assertEqual(
            self.server.rows("SELECT record_status, call_result, agent_id FROM CL_Test WHERE record_id = 4"),
            [(3, 21, "5001")],
        )
        # HTTP ends what the second agent holds.
        held = second.preview(102)
        self.server.post(f"/records/{held.handle}?req=RecordReject", {})
        self.assertEqual(self.event(second, "RecordRemove").handle, held.handle)

    def test_session(self) -> None:
        """Login, status, preview, chain, update, reschedule, do-not-call, processed; R10: finished over HTTP."""
        self.prepare()
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

    def test_restart(self) -> None:
        """P92, P133: the client connects again by itself and goes on with the same handle, also as a second holder."""
        self.prepare()
        self.add("6505550101")
        first, second = self.connect("5001"), self.connect("5002")
        handle = first.preview(102).handle
        assert handle is not None
        first.share(handle, "Conference", "5002")
        port = ocs_port_of(self.server)
        self.server.configure(listener=self.listener.replace("port = 0", f"port = {port}"))
        self.server.kill_parent()
        self.server.start()
        self.assertEqual(second.processed(handle, 33, idempotency_key="k").event, "RecordProcessedAcknowledge")


class ValidatedCallTests(DesktopTestCase):
    """Callbacks of which a server is asked first, with whole processes."""

    def test_calls(self) -> None:
        """P135, O21: the call comes with the 200, a 409 keeps it back; with the server away nothing is lost."""
        ledger = receive(self)
        more = f'[pre_dial_validation]\npre_dial_validation = true\nvalidation_uri = "{ledger.uri("/v")}"\n'
        self.serve(more=more)
        desktop = self.connect("5001")
        self.event(desktop, "CampaignStarted")
        keys = {"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "01/01/2020 00:00", "GSW_AGENT_ID": "5001"}
        ledger.answer = lambda sent: (409 if sent.body["GSW_PHONE"] == "6505550101" else 200, b"")
        for phone in ("6505550101", "6505550102"):
            self.add(phone, **keys)
        call = self.event(desktop, "ScheduledCall")
        self.assertEqual(call.phone, "6505550102")
        self.assertEqual([each["GSW_PHONE"] for each in ledger.of("/v")], ["6505550101", "6505550102"])
        self.assertEqual(
            ledger.of("/v")[1], {key: value for key, value in call.data.items() if key != "GSW_USER_EVENT"}
        )
        assert call.handle is not None
        desktop.processed(call.handle, 33)
        rows = "SELECT record_status, call_result, agent_id FROM CL_Test ORDER BY record_id"
        self.assertEqual(self.server.rows(rows), [(3, 3, "5001"), (3, 33, "5001")])


_COMMON = {"GSW_USER_EVENT", "GSW_APPLICATION_ID"}
_RECORD = {"GSW_RECORD_HANDLE", "GSW_CALLING_LIST", "GSW_CAMPAIGN_NAME", "GSW_CHAIN_ID"}
_GROUP = {
    *("GSW_CAMPAIGN_NAME", "GSW_CAMPAIGN_DESCRIPTION", "GSW_CAMPAIGN_MODE"),
    *("GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_DBID"),
}
_CHAINED = {
    *("GSW_RECORD_URI", "GSW_CALLING_LIST_DBID", "GSW_CHAIN_N", "GSW_PHONE", "GSW_PHONE_TYPE", "GSW_RECORD_TYPE"),
    *("GSW_CALL_RESULT", "GSW_ATTEMPTS", "GSW_FROM", "GSW_UNTIL", "GSW_TZ_NAME", "GSW_TZ_OFFSET"),
    "GSW_CALL_ATTEMPT_GUID",
}
_SHOWN = {"GSW_CAMPAIGN_GROUP_NAME", "GSW_CAMPAIGN_GROUP_DBID", "GSW_CAMPAIGN_MODE", *_CHAINED}


class MessageTests(DesktopTestCase):
    """Every message against its table (protocol.md section 3, http.md section 10)."""

    def check(self, answer: Answer, event: str, keys: set[str]) -> None:
        """Compare name and keys of an event; those of custom fields stand aside."""
        self.assertEqual(answer.event, event, answer.data)
        found = {key for key in answer.data if key.startswith("GSW_")}
        self.assertEqual(found, _COMMON | keys | {"GSW_REFERENCE_ID"}, event)
        self.assertIs(type(answer.data["GSW_REFERENCE_ID"]), int)
        self.assertEqual(answer.data["GSW_APPLICATION_ID"], 134)

    def test_desktop(self) -> None:
        """P3, P40, P43: what a desktop sends and gets."""
        self.serve()
        self.add("6505550101", "6505550102")
        for number in range(3, 8):
            self.add(f"650555010{number}")
        desktop = self.connect("5001")
        ref: dict[str, Any] = {"GSW_REFERENCE_ID": 7}
        self.event(desktop, "CampaignStarted")
        group = {"GSW_CAMPAIGN_GROUP_DBID": 102}
        record = desktop.preview(102, **ref)
        self.check(record, "PreviewRecord", _RECORD | _SHOWN)
        handle = {"GSW_RECORD_HANDLE": record.handle}
        callback = {"GSW_DATE_TIME": "11/28/2036 09:30", "GSW_CALLBACK_TYPE": "Campaign"}
        agreed = {"GSW_CALLBACK_TYPE", "GSW_DATE_TIME", "GSW_TZ_NAME", "GSW_PHONE", "GSW_RECORD_TYPE"}
        share = {"GSW_SHARE_MODE": "Consult", "GSW_AGENT_ID": "5002"}
        counted = {"GSW_PHONE", "GSW_CHAIN_ATTR", "GSW_RECORDS_COUNT"}
        rows: list[tuple[str, dict[str, Any], str, set[str]]] = [
            ("ChainedRecordRequest", handle, "ChainedRecordsDataEnd", _RECORD),
            ("UpdateCallCompletionStats", handle, "", _RECORD | {"GSW_PHONE", "GSW_CALL_RESULT", "GSW_RECORD_TYPE"}),
            ("RecordReschedule", {**handle, **callback}, "", _RECORD | agreed),
            ("ScheduledRecordReschedule", {**handle, **callback}, "", _RECORD | agreed),
            ("RecordShare", {**handle, **share}, "", _RECORD | set(share)),
            ("DoNotCall", {**handle, "GSW_CHAIN_ATTR": "RecordOnly"}, "", _RECORD | {"GSW_PHONE", "GSW_CHAIN_ATTR"}),
            ("RecordProcessed", handle, "", _RECORD),
            ("PreviewDialingModeStart", {"GSW_CAMPAIGN_NAME": "Campaign1"}, "", {"GSW_CAMPAIGN_NAME"}),
            ("PreviewDialingModeOver", {}, "", set()),
            ("ReadyTime", {}, "", set()),
            ("LogOut", {}, "", set()),
            ("CampaignStatusRequest", group, "CampaignStarted", _GROUP),
            ("RequestRecordCancel", {"GSW_PHONE": "6505550107"}, "RecordCancelAcknowledge", counted),
            ("DoNotCall", {"GSW_PHONE": "6505550106"}, "", counted),
        ]
        for name, keys, event, expected in rows:
            answer = desktop.request(name, {**keys, **ref})
            self.check(answer, event or f"{name}Acknowledge", expected)
            for part in answer.parts:
                self.check(Answer(part), "ChainedRecord", _RECORD | _CHAINED)
        self.assertEqual(self.code(desktop.request, "RecordShare", {}), "missing_attribute")
        for name in ("RecordReject", "RequestRecordCancel"):
            held: dict[str, Any] = {"GSW_RECORD_HANDLE": desktop.preview(102).handle}
            event = "RecordCancelAcknowledge" if name == "RequestRecordCancel" else f"{name}Acknowledge"
            more = {"GSW_CHAIN_ATTR", "GSW_RECORDS_COUNT"} if name == "RequestRecordCancel" else set()
            self.check(desktop.request(name, {**held, **ref}), event, _RECORD | more)

    def shown(self, client: BlockingClient, event: str, keys: set[str]) -> Answer:
        """Compare the next unsolicited event with its table."""
        answer = self.event(client, event)
        found = {key for key in answer.data if key.startswith("GSW_")}
        self.assertEqual(found, _COMMON | keys, event)
        return answer

    def test_unsolicited(self) -> None:
        """P30, P34, P35: each event that answers no request has the keys of its table, and no reference id."""
        self.serve()
        desktop, other, third = self.connect("5001"), self.connect("5002"), self.connect()
        for client in (desktop, other, third):
            self.shown(client, "CampaignStarted", _GROUP)
        orders = ("SetDialingMode", "StopDialing", "UnloadCampaign", "LoadCampaign", "StartDialing")
        events = ("ModeChanged", "Stopped", "Unloaded", "Loaded", "Started")
        for order, event in zip(orders, events, strict=True):
            third.request(order, {"GSW_CAMPAIGN_GROUP_DBID": 102, "GSW_CAMPAIGN_MODE": "PushPreview"})
            for client in (desktop, other, third):
                self.shown(client, f"Campaign{event}", _GROUP)
        # RecordShared, RecordRemove.
        self.add("6505550101")
        handle = desktop.preview(102).handle
        assert handle is not None
        desktop.share(handle, "Conference", "5002")
        self.shown(other, "RecordShared", _RECORD | _SHOWN | {"GSW_SHARE_MODE"})
        desktop.processed(handle, 33)
        self.shown(other, "RecordRemove", _RECORD)
        # ScheduledCall, RecordCancel.
        self.add("6505550102", GSW_RECORD_TYPE=5, GSW_DATE_TIME="01/01/2020 00:00", GSW_AGENT_ID="5001")
        call = self.shown(desktop, "ScheduledCall", _RECORD | _SHOWN | {"GSW_DATE_TIME", "GSW_AGENT_ID"})
        third.request("RequestRecordCancel", {"GSW_RECORD_HANDLE": call.handle})
        self.shown(desktop, "RecordCancel", _RECORD)
        # Unloading.
        self.add("6505550103")
        desktop.preview(102)
        third.request("ForceUnloadCampaign", {"GSW_CAMPAIGN_GROUP_DBID": 102})
        names = {self.event_name(desktop) for _ in range(2)}
        self.assertEqual(names, {"CampaignUnloaded", "RecordRemove"})

    def event_name(self, client: BlockingClient) -> str:
        """Return the name of the next event."""
        answer = client.next_event(PATIENCE)
        assert answer is not None
        return answer.event

    def test_third_party(self) -> None:
        """P50: what a third-party application sends and gets."""
        self.serve()
        third = self.connect()
        ref: dict[str, Any] = {"GSW_REFERENCE_ID": 7, "GSW_CAMPAIGN_NAME": "Campaign1"}
        rows = (
            ("SetDialingMode", "ModeChanged"),
            ("StopDialing", "Stopped"),
            ("UnloadCampaign", "Unloaded"),
            ("GetCampaignStatus", "Unloaded"),
            ("LoadCampaign", "Loaded"),
            ("StartDialing", "Started"),
            ("ForceUnloadCampaign", "Unloaded"),
        )
        for name, event in rows:
            self.check(third.request(name, {**ref, "GSW_CAMPAIGN_MODE": "PushPreview"}), f"Campaign{event}", _GROUP)
        for name in ("ReadyTime", "LogOut", "PreviewDialingModeStart", "PreviewDialingModeOver"):
            self.assertEqual(self.code(third.request, name, {}), "forbidden")


class SecureConversationTests(ConversationTests):
    """The same over TLS, with client certificates."""

    def prepare(self) -> None:
        authority = Authority()
        server = make_server(self, more="[desktop]\nagent_logout_preview_call_result = 21\n")
        authority.issue("localhost").write(server.folder, "server")
        authority.issue(subject="crm").write(server.folder, "client")
        (server.folder / "ca.pem").write_text(authority.pem)
        tls = (
            '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
            'trusted_ca = "ca.pem"\ntls_mutual = true\n'
        )
        self.listener = LISTENER + tls
        server.configure(listener=self.listener)
        self.server = server.start()
        server.wait_until(lambda: "93230" in server.log())
        context = ssl.create_default_context(cafile=str(server.folder / "ca.pem"))
        context.load_cert_chain(server.folder / "client.pem", server.folder / "client.key")
        self.tls = context

    def test_principal(self) -> None:
        """The certificate says who the client is; without one there is no session."""
        self.prepare()
        self.connect("5001").campaign_status()
        self.assertIn("principal CN=crm", self.server.log())
        self.tls = ssl.create_default_context(cafile=str(self.server.folder / "ca.pem"))
        self.connect("5002")
        self.server.wait_until(lambda: "the client has sent no certificate" in self.server.log())
