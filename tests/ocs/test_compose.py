"""The parent process as a whole: start, stop, reload, with fake processes and a real store in a folder."""

import signal

from ocsgw.config import load
from ocsgw.control.errors import ControlError
from ocsgw.ocs.reload import waiting_for_restart
from ocsgw.protocol.messages import KV, Drain, Event, Request, Settings
from tests.ocs.service import SECOND_LISTENER, FakeProxy, ServiceTestCase

# opening, a listener without keys, standby, active
OPENED = [93141, 93165, 93141, 93141]


class ServiceTests(ServiceTestCase):
    """One OCS."""

    def test_start(self) -> None:
        """R11, C70: after the store is open one proxy is started, and an example command is reported when it serves."""
        proxy = self.start()
        self.assertTrue((self.folder / "var" / "ocsgw.sqlite").exists())
        self.assertEqual(self.log.numbers(), [93030, *OPENED, 93001, 93002])
        self.assertEqual(
            self.examples,
            ["curl -s -X POST 'http://127.0.0.1:8080/lists/CL_Test?req=AddRecord' -d '{\"GSW_PHONE\":\"6505550100\"}'"],
        )
        self.stop(proxy)
        self.assertEqual(self.log.numbers()[-3:], [93141, 93005, 93031])
        self.assertTrue(self.worker.stopped)

    def test_request(self) -> None:
        """A request over the link is carried out, and its answer goes out after the commit."""
        proxy = self.start()
        proxy.send(Request(ref=1, data=add_record()))
        self.reactor.advance(0)
        events = [message for message in proxy.received() if isinstance(message, Event)]
        self.assertEqual([event.data["GSW_USER_EVENT"] for event in events], ["AddRecordAcknowledge"])
        self.stop(proxy)

    def test_only_a_listener(self) -> None:
        """R31: the application and one `[[listener]]` with protocol http are all that HTTP needs."""
        self.path.write_text(
            '[application]\nname = "OCS"\ndbid = 134\n[store]\nurl = "sqlite:///ocs.sqlite"\n'
            '[[listener]]\nid = "default"\nprotocol = "http"\nport = 8080\n',
            encoding="utf-8",
        )
        proxy = self.start()
        self.assertEqual(self.log.numbers(), [93030, *OPENED, 93001, 93002])
        self.stop(proxy)

    def whom_it_serves(self, more: str) -> list[str]:
        """Start with a second listener; return what is said about a server without keys."""
        self.configure(more=more)
        self.make().startService()
        self.stop(*(FakeProxy(self.reactor, at).get_ready() for at in range(2)))
        return self.log.texts(93159) + self.log.texts(93165)

    def test_no_keys(self) -> None:
        """A server without any key or certificate says at its start that every program of the machine is served."""
        (said,) = self.whom_it_serves(SECOND_LISTENER)
        self.assertIn("every program of this machine is served by default, second;", said)

    def test_no_keys_for_others(self) -> None:
        """Where other machines reach a listener it is a warning, and about that one."""
        reached = SECOND_LISTENER.replace('"127.0.0.1"', '"::"\nallow_anonymous = true')
        (said,) = self.whom_it_serves(reached)
        self.assertIn("whoever reaches second from other machines is served", said)

    def test_some_key(self) -> None:
        """A server with a key has nothing to say: its configuration tells where it counts."""
        file = self.path.with_name("web.key")
        file.write_text("correct horse battery", encoding="utf-8")
        file.chmod(0o600)
        key = '[[api_key]]\nname = "web"\nkey_file = "web.key"\nlisteners = ["default"]\n'
        self.assertEqual(self.whom_it_serves(SECOND_LISTENER + key), [])

    def test_encoding(self) -> None:
        """R17: the value of `encoding` goes out with the settings; a restarted proxy has the value of its start."""
        self.configure(application='encoding = "windows-1252"')
        proxy = self.start()
        self.configure(application='encoding = "windows-1251"')
        self.successResultOf(self.service.reload())
        proxy.process.end(signal=signal.SIGKILL)
        self.reactor.lose_link()
        self.reactor.advance(1)
        second = FakeProxy(self.reactor, 1).get_ready()
        self.assertEqual([each.encoding for each in proxy.settings()], ["windows-1252", "windows-1251"])
        self.assertEqual([each.encoding for each in second.settings()], ["windows-1251"])
        self.stop(second)

    def test_no_http_listener(self) -> None:
        """R4, C30: without an http listener there is no proxy."""
        text = self.path.read_text(encoding="utf-8")
        self.path.write_text(text[: text.index("[[listener]]")] + text[text.index("[store]") :], encoding="utf-8")
        self.make().startService()
        self.assertEqual(self.reactor.processes, [])
        self.stop()

    def test_store_not_available(self) -> None:
        """`[store] wait`: the server tries again for that time, then ends with status 69."""
        (self.folder / "var").write_text("a file where a folder should be", encoding="utf-8")
        self.configure(application='state_dir = "."', more="[store]\nwait = 3")
        text = self.path.read_text(encoding="utf-8").replace('[store]\nurl = "sqlite:///var/ocsgw.sqlite"\n', "", 1)
        text = text.replace("[store]\n", '[store]\nurl = "sqlite:///var/ocsgw.sqlite"\n')
        self.path.write_text(text, encoding="utf-8")
        self.make().startService()
        for _ in range(2):
            self.reactor.advance(1)
        self.assertEqual(self.ends, [])
        self.reactor.advance(1)
        self.assertEqual(self.ends, [69])
        self.assertTrue(any("check [store] url" in text for text in self.log.texts()))
        self.stop()

    def test_store_comes_back_while_waiting(self) -> None:
        """A store that becomes available in time is used."""
        (self.folder / "var").write_text("in the way", encoding="utf-8")
        self.configure(application='state_dir = "."')
        self.make().startService()
        (self.folder / "var").unlink()
        self.reactor.advance(1)
        self.assertEqual(len(self.reactor.processes), 1)
        self.stop(FakeProxy(self.reactor, 0).get_ready())

    def test_stop_while_waiting_for_the_store(self) -> None:
        """A stop ends the wait for the store."""
        (self.folder / "var").write_text("in the way", encoding="utf-8")
        self.configure(application='state_dir = "."')
        self.make().startService()
        stopped = self.service.stopService()
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.processes, [])

    def test_stop_answers_what_is_in_flight(self) -> None:
        """C74: requests that came before the proxy is gone are answered; the store is closed after them."""
        proxy = self.start()
        stopped = self.service.stopService()
        proxy.send(Request(ref=1, data=add_record()))
        self.reactor.advance(0)
        self.assertNoResult(stopped)
        kinds = [type(message) for message in proxy.received()]
        self.assertIn(Drain, kinds)
        self.assertIn(Event, kinds)
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.advance(0)
        self.successResultOf(stopped)

    def test_changed_port(self) -> None:
        """R32, R33, C61, C62: a running proxy keeps its port and is told nothing of it; the next one uses the new."""
        proxy = self.start()
        self.configure(port=9090)
        self.successResultOf(self.service.reload())
        self.assertEqual(self.log.numbers()[-2:], [93015, 93013])
        self.assertEqual([each.listener.port for each in proxy.settings() if each.listener is not None], [8080, 8080])
        proxy.process.end(signal=signal.SIGKILL)
        self.reactor.lose_link()
        self.reactor.advance(1)
        second = FakeProxy(self.reactor, 1).get_ready()
        self.assertEqual([each.listener.port for each in second.settings() if each.listener is not None], [9090])
        self.stop(second)

    def test_removed_listener(self) -> None:
        """R34, C63: the proxy of a removed listener is drained and not started again; others go on."""
        self.configure(more=SECOND_LISTENER)
        first = self.start()
        second = FakeProxy(self.reactor, 1).get_ready()
        self.configure()
        self.successResultOf(self.service.reload())
        self.assertIn(93016, self.log.numbers())
        kinds = [type(message) for message in second.received()]
        # It ends its work with the keys that are in force now, those of the next reload too.
        self.assertEqual(kinds[-2:], [Settings, Drain])
        self.assertFalse(any(isinstance(message, Drain) for message in first.received()))
        self.successResultOf(self.service.reload())
        self.assertEqual([type(message) for message in second.received()][-1], Settings)
        second.leave()
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.processes), 2)
        self.stop(first)

    def test_added_listener(self) -> None:
        """C64: the proxy of an added listener is started."""
        first = self.start()
        self.configure(more=SECOND_LISTENER)
        self.successResultOf(self.service.reload())
        self.assertEqual(len(self.reactor.processes), 2)
        self.stop(first, FakeProxy(self.reactor, 1).get_ready())

    def test_changed_id(self) -> None:
        """C65: a change of the id alone is a change, not a removal with an addition."""
        proxy = self.start()
        text = self.path.read_text(encoding="utf-8")
        self.path.write_text(text.replace('id = "default"', 'id = "renamed"'), encoding="utf-8")
        self.successResultOf(self.service.reload())
        self.assertIn(93015, self.log.numbers())
        self.assertNotIn(93016, self.log.numbers())
        self.assertEqual([each.listener.id for each in proxy.settings() if each.listener is not None], ["default"] * 2)
        self.stop(proxy)

    def test_settings_are_sent_again(self) -> None:
        """C66, P100: encoding, headers and limits reach a running proxy at once."""
        proxy = self.start()
        self.configure(application='encoding = "windows-1252"\nhttp_custom_headers = true')
        self.successResultOf(self.service.reload())
        self.assertEqual([each.encoding for each in proxy.settings()], [None, "windows-1252"])
        self.stop(proxy)

    def test_new_list_at_once(self) -> None:
        """C67: a list that a reload adds takes records at once."""
        proxy = self.start()
        self.configure(more='[[calling_list]]\ndbid = 204\nname = "New"\ntable = "new_list"\n')
        self.successResultOf(self.service.reload())
        proxy.send(Request(ref=1, data=add_record("New")))
        self.reactor.advance(0)
        events = [message for message in proxy.received() if isinstance(message, Event)]
        self.assertEqual([event.code for event in events], [None])
        self.stop(proxy)

    def test_reload_with_errors(self) -> None:
        """C60: a file with an error changes nothing; all problems are logged."""
        proxy = self.start()
        self.configure(application="nonsense = 1\nencoding = 5")
        self.failureResultOf(self.service.reload(), ControlError)
        self.assertIn("nonsense", self.log.text(93014))
        self.assertIn("encoding", self.log.text(93014))
        self.assertEqual(len(proxy.settings()), 1)
        self.service.reload_on_signal()
        self.stop(proxy)

    def test_what_waits_for_a_restart(self) -> None:
        """C68: a change that needs a restart is reported as such, and not used."""
        proxy = self.start()
        self.configure(more='target = "other.log"')
        text = self.path.read_text(encoding="utf-8").replace("dbid = 134", "dbid = 135")
        self.path.write_text(text, encoding="utf-8")
        old = self.service.config
        self.assertEqual(waiting_for_restart(old, load(self.path)), ["[application] dbid", "[log] target"])
        self.assertEqual(self.successResultOf(self.service.reload()), ["[application] dbid", "[log] target"])
        self.successResultOf(self.service.reload())
        waiting = self.successResultOf(self.service.commands["reload"].run({}))["waiting"]
        self.assertEqual(waiting, {"restart": ["[application] dbid", "[log] target"], "proxy_restart": []})
        proxy.send(Request(ref=1, data={"GSW_AGENT_REQ_TYPE": "CampaignStatusRequest", "GSW_CAMPAIGN_GROUP_DBID": 102}))
        self.reactor.advance(0)
        event = next(message for message in proxy.received() if isinstance(message, Event))
        self.assertEqual(event.data["GSW_APPLICATION_ID"], 134)
        self.stop(proxy)

    def test_reload_without_a_change(self) -> None:
        """A reload of the same file changes nothing and is reported (93013)."""
        proxy = self.start()
        self.assertEqual(waiting_for_restart(self.service.config, load(self.path)), [])
        self.successResultOf(self.service.reload())
        self.assertEqual(self.log.numbers()[-1], 93013)
        self.stop(proxy)

    def test_expired_handouts_are_freed(self) -> None:
        """H278: a record that gets no final request returns to ready after record_timeout, counted (93017)."""
        proxy = self.start()
        proxy.send(Request(ref=1, data=add_record()))
        proxy.send(Request(ref=2, data={"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102}))
        self.reactor.advance(0)
        self.service.committer().chore(_make_all_expire)
        self.reactor.advance(1)
        self.assertIn("1 records", self.log.text(93017))
        self.stop(proxy)


def add_record(calling_list: str = "CL_Test") -> KV:
    """Return the key-values of an AddRecord."""
    return {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": calling_list, "GSW_PHONE": "1"}


def _make_all_expire(unit: object) -> None:
    connection = unit.tx._connection  # type: ignore[attr-defined]  # time is the store's own here
    connection.change("UPDATE ocsgw_handout SET expires_at = 0")
