"""The supervisor: every state and every transition, with a fake child and a fake clock."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.logs import Level
from ocsgw.ocs.child import Child, ChildOwner, Exit, PortNotHandedError
from ocsgw.ocs.supervisor import MACHINE, Supervisor, Times
from ocsgw.protocol.messages import AccessLines, Bye, Log, LogLine
from tests.support.logs import LogCapture

TIMES = Times(reconnect=3.0, start=20.0, drain=10.0, stop=15.0)


class FakeChild:
    """A child that does what the test says."""

    def __init__(self, pid: int, owner: ChildOwner) -> None:
        self.pid = pid
        self.owner = owner
        self.last_words: Bye | None = None
        self.orders: list[str] = []
        self.updates = 0

    def update(self) -> None:
        self.updates += 1

    def drain(self, timeout: float, reason: str | None = None) -> None:
        self.orders.append(f"drain {timeout:g}" + (f" {reason}" if reason else ""))

    def take_port(self) -> "Deferred[int]":
        return succeed(self.pid)

    def close_link(self) -> None:
        self.orders.append("close link")

    def signal(self, name: str) -> None:
        self.orders.append(name)


class FakeProxy:
    """What a supervisor needs, under the control of the test."""

    def __init__(self) -> None:
        self.children: list[FakeChild] = []
        self.error: OSError | None = None
        self.defect: Exception | None = None
        self.written: list[tuple[float | None, Level, int, str]] = []
        self.accesses: list[AccessLines] = []
        self.ready: list[int] = []
        self.endings: list[str] = []
        self.reconnect = TIMES.reconnect

    def times(self) -> Times:
        return Times(self.reconnect, TIMES.start, TIMES.drain, TIMES.stop)

    def start_child(self, owner: ChildOwner) -> Child:
        if self.error is not None:
            raise self.error
        if self.defect is not None:
            raise self.defect
        self.children.append(FakeChild(100 + len(self.children), owner))
        return self.children[-1]

    def url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def where_configured(self) -> str:
        return "[[listener]] default in ocsgw.toml"

    def write_log(self, when: float | None, level: Level, number: int, text: str) -> None:
        self.written.append((when, level, number, text))

    def write_access(self, message: AccessLines) -> None:
        self.accesses.append(message)

    def became_ready(self, port: int) -> None:
        self.ready.append(port)

    def ended(self, reason: str) -> None:
        self.endings.append(reason)


class SupervisorTests(SynchronousTestCase):
    """One proxy and its supervisor."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeProxy()
        self.log = LogCapture(self)
        self.supervisor = Supervisor("default", self.context, self.clock)

    def tearDown(self) -> None:
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    @property
    def child(self) -> FakeChild:
        return self.context.children[-1]

    def running(self) -> None:
        self.supervisor.start()
        self.child.owner.child_ready(8080, "127.0.0.1")

    def finish(self) -> None:
        """Stop and let the child go, so that no timer is left."""
        self.supervisor.stop()
        if self.supervisor.state == "stopping":
            self.child.owner.child_exited(Exit(0))
        self.clock.advance(0)

    def test_start(self) -> None:
        """R11: a start leads to `starting` with one child, whose process id is logged (93001)."""
        self.assertEqual(self.supervisor.state, "stopped")
        self.supervisor.start()
        self.assertEqual((self.supervisor.state, self.supervisor.pid), ("starting", 100))
        self.assertEqual(self.log.numbers(), [93001])
        self.finish()

    def test_ready(self) -> None:
        """P82: the proxy counts as running from `ready` on, and where it serves is logged (93002)."""
        self.running()
        self.assertEqual((self.supervisor.state, self.supervisor.port), ("running", 8080))
        self.assertEqual(self.context.ready, [8080])
        self.assertIn("http://127.0.0.1:8080", self.log.text(93002))
        self.finish()

    def test_times(self) -> None:
        """How long the child has been there, and when the next one comes, are known in each state."""
        self.assertEqual((self.supervisor.uptime, self.supervisor.next_start), (None, None))
        self.running()
        self.clock.advance(7)
        self.assertEqual((self.supervisor.uptime, self.supervisor.next_start), (7, None))
        self.child.owner.child_exited(Exit(1))
        self.clock.advance(1)
        self.assertEqual((self.supervisor.uptime, self.supervisor.next_start), (None, TIMES.reconnect - 1))
        self.clock.advance(TIMES.reconnect - 1)
        self.clock.advance(1)
        self.assertEqual((self.supervisor.uptime, self.supervisor.next_start), (1, None))
        self.finish()

    def test_every_state_and_every_transition(self) -> None:
        """C71: in each state each order and each fact that can come leads where the machine says; nothing else can."""
        expected = {
            (before.name, step): after.name for before, step, after, _ in MACHINE.__automat_automaton__.allTransitions()
        }
        seen = {}
        for state, step in expected:
            self.supervisor = Supervisor("default", self.context, self.clock)
            self.reach(state)
            self.assertEqual(self.supervisor.state, state)
            self.take(step)
            # An order that was remembered is carried out as soon as the old child is gone.
            seen[state, step] = self.supervisor.state
            self.finish()
        self.assertEqual(seen, expected)
        states = {"stopped", "starting", "running", "stopping", "waiting"}
        self.assertEqual({state for state, _ in expected}, states)
        self.assertEqual(
            {(state, "start") for state in states} | {(state, "stop") for state in states},
            {(state, step) for state, step in expected if step in ("start", "stop")},
        )

    def reach(self, state: str) -> None:
        """Bring a new supervisor into a state."""
        if state != "stopped":
            self.supervisor.start()
        if state in ("running", "waiting"):
            self.child.owner.child_ready(8080, "")
        if state == "waiting":
            self.child.owner.child_exited(Exit(1))
        if state == "stopping":
            self.supervisor.stop()

    def take(self, step: str) -> None:
        """Let an order or a fact come the way it really comes."""
        if step == "start":
            self.supervisor.start()
        elif step == "stop":
            self.supervisor.stop()
        elif step == "became_ready":
            self.child.owner.child_ready(8080, "")
        elif step == "exited":
            self.child.owner.child_exited(Exit(1))
        else:
            self.assertEqual(step, "wait_ended")
            self.clock.advance(TIMES.reconnect)

    def test_start_again_changes_nothing(self) -> None:
        """A start of what starts, runs or waits is no second child."""
        self.supervisor.start()
        self.supervisor.start()
        self.child.owner.child_ready(1, "")
        self.supervisor.start()
        self.child.owner.child_exited(Exit(1))
        self.supervisor.start()
        self.assertEqual((self.supervisor.state, len(self.context.children)), ("waiting", 1))
        self.finish()

    def test_hurry(self) -> None:
        """A second signal: a child that is about to end has to leave at once, and is killed a second later."""
        self.running()
        self.supervisor.hurry()
        self.assertEqual(self.child.orders, [])
        self.supervisor.stop()
        self.child.orders.clear()
        self.supervisor.hurry()
        self.assertEqual(self.child.orders, ["drain 0"])
        self.clock.advance(1)
        self.assertEqual(self.child.orders, ["drain 0", "KILL"])
        self.finish()
        self.supervisor.hurry()

    def test_restart_after_the_reconnect_timeout(self) -> None:
        """R25, C72: after an unexpected end the next child starts exactly one Reconnect Timeout later, every time."""
        self.supervisor.start()
        for round_ in range(1, 12):
            self.child.owner.child_ready(8080, "")
            self.child.owner.child_exited(Exit(None, 9))
            self.assertEqual((self.supervisor.state, self.supervisor.pid), ("waiting", None))
            self.clock.advance(2.999)
            self.assertEqual(len(self.context.children), round_)
            self.clock.advance(0.002)
            self.assertEqual((self.supervisor.state, len(self.context.children)), ("starting", round_ + 1))
        self.assertIn("signal 9; next start in 3 s", self.log.text(93004))
        self.finish()

    def test_a_changed_reconnect_timeout_counts_from_the_next_wait_on(self) -> None:
        """R26, C66: the delay is the one that is configured when the child ends."""
        self.running()
        self.context.reconnect = 0.5
        self.child.owner.child_exited(Exit(1))
        self.clock.advance(0.5)
        self.assertEqual(self.supervisor.state, "starting")
        self.finish()

    def test_exit_with_status_zero_is_unexpected_too(self) -> None:
        """C72: any exit that OCS did not ask for is unexpected, whatever the status."""
        self.running()
        self.child.owner.child_exited(Exit(0))
        self.assertEqual(self.supervisor.state, "waiting")
        self.finish()

    def test_port_taken(self) -> None:
        """R24: the log says why the port could not be opened, who holds it, and when the next try is (93003)."""
        self.supervisor.start()
        self.child.last_words = Bye(code="port", text="127.0.0.1:8080 is in use by process 7 (nginx)")
        self.child.owner.child_exited(Exit(69))
        text = self.log.text(93003)
        for part in ("in use by process 7 (nginx); see [[listener]] default in ocsgw.toml; trying again in 3 s",):
            self.assertIn(part, text)
        self.assertEqual(self.supervisor.state, "waiting")
        self.finish()

    def test_ending_is_told(self) -> None:
        """C72: whoever waits for the proxy learns why it ended, unless a stop came first."""
        self.running()
        self.child.owner.child_exited(Exit(1))
        self.assertEqual(self.context.endings, [])
        self.clock.advance(0)
        self.assertEqual(self.context.endings, ["status 1"])
        self.finish()

    def test_port_of_what_does_not_run(self) -> None:
        """Only a child that runs has a port to hand over."""
        self.failureResultOf(self.supervisor.take_port(), PortNotHandedError)
        self.running()
        self.assertEqual(self.successResultOf(self.supervisor.take_port()), self.child.pid)
        self.finish()

    def test_last_words_are_logged(self) -> None:
        """P83: why a child could not use its settings is in the log."""
        self.supervisor.start()
        self.child.last_words = Bye(code="settings", text="certificate expired")
        self.child.owner.child_exited(Exit(78))
        self.assertIn("certificate expired", self.log.text(93004))
        self.finish()

    def test_not_ready_in_time(self) -> None:
        """P84: a child that is not ready in time loses its link, then gets TERM, then KILL, and is replaced."""
        self.supervisor.start()
        self.clock.advance(19.9)
        self.assertEqual(self.child.orders, [])
        self.clock.advance(0.1)
        self.assertEqual(self.child.orders, ["close link"])
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertEqual(self.child.orders, ["close link", "TERM", "KILL"])
        self.child.owner.child_exited(Exit(None, 9))
        self.clock.advance(3)
        self.assertEqual(len(self.context.children), 2)
        self.finish()

    def test_ready_in_time_ends_the_watch(self) -> None:
        """A child that became ready is not ended by the time limit of its start."""
        self.running()
        self.clock.advance(60)
        self.assertEqual(self.child.orders, [])
        self.finish()

    def test_stop(self) -> None:
        """C74: a stop drains; the Deferred fires when the process is really gone (93005)."""
        self.running()
        stopped = self.supervisor.stop()
        self.assertEqual((self.supervisor.state, self.child.orders), ("stopping", ["drain 10"]))
        self.assertNoResult(stopped)
        self.child.owner.child_exited(Exit(0))
        self.successResultOf(stopped)
        self.assertEqual((self.supervisor.state, self.log.numbers()[-1]), ("stopped", 93005))
        self.clock.advance(60)
        self.assertEqual(len(self.context.children), 1)

    def test_stop_by_force(self) -> None:
        """C74: after drain_timeout the link is closed, after stop_timeout the child is killed."""
        self.running()
        stopped = self.supervisor.stop()
        self.clock.advance(10)
        self.assertEqual(self.child.orders, ["drain 10", "close link"])
        self.clock.advance(5)
        self.assertEqual(self.child.orders, ["drain 10", "close link", "KILL"])
        self.child.owner.child_exited(Exit(None, 9))
        self.successResultOf(stopped)

    def test_stop_while_starting(self) -> None:
        """A child that is not ready yet is stopped like one that runs; a late `ready` changes nothing."""
        self.supervisor.start()
        stopped = self.supervisor.stop()
        self.child.owner.child_ready(1, "")
        self.assertEqual(self.supervisor.state, "stopping")
        self.child.owner.child_exited(Exit(0))
        self.successResultOf(stopped)

    def test_stop_while_waiting(self) -> None:
        """C73: a stop ends the wait; no child is started any more."""
        self.running()
        self.child.owner.child_exited(Exit(1))
        self.successResultOf(self.supervisor.stop())
        self.clock.advance(10)
        self.assertEqual((self.supervisor.state, len(self.context.children)), ("stopped", 1))

    def test_stop_of_what_is_stopped(self) -> None:
        """A stop without a child is done at once."""
        self.successResultOf(self.supervisor.stop())

    def test_reason_of_a_stop(self) -> None:
        """P91: the child is told why it has to leave; a later stop without a reason is reported too."""
        self.running()
        self.supervisor.stop("renewal")
        self.supervisor.stop()
        self.assertEqual(self.child.orders, ["drain 10 renewal", "drain 10"])
        self.child.owner.child_exited(Exit(0))

    def test_several_stops(self) -> None:
        """Everybody who stops is told of the end."""
        self.running()
        stops: list[Deferred[None]] = [self.supervisor.stop(), self.supervisor.stop()]
        self.child.owner.child_exited(Exit(0))
        for stopped in stops:
            self.successResultOf(stopped)

    def test_start_while_stopping(self) -> None:
        """A start during a stop is carried out when the old child is gone."""
        self.running()
        self.supervisor.stop()
        self.supervisor.start()
        self.assertEqual(self.supervisor.state, "stopping")
        self.child.owner.child_exited(Exit(0))
        self.clock.advance(0)
        self.assertEqual((self.supervisor.state, len(self.context.children)), ("starting", 2))
        self.finish()

    def test_the_last_order_counts_while_stopping(self) -> None:
        """A start that is taken back during a stop starts nothing."""
        self.running()
        self.supervisor.stop()
        self.supervisor.start()
        self.supervisor.stop()
        self.child.owner.child_exited(Exit(0))
        self.clock.advance(1)
        self.assertEqual((self.supervisor.state, len(self.context.children)), ("stopped", 1))

    def test_cannot_be_started(self) -> None:
        """C76: a process that cannot be started is tried again after the Reconnect Timeout."""
        self.context.error = OSError(11, "Resource temporarily unavailable")
        self.supervisor.start()
        self.clock.advance(0)
        self.assertEqual(self.supervisor.state, "waiting")
        self.assertIn("Resource temporarily unavailable", self.log.text(93004))
        self.context.error = None
        self.clock.advance(3)
        self.assertEqual((self.supervisor.state, self.supervisor.pid), ("starting", 100))
        self.finish()

    def test_stop_of_what_could_not_be_started(self) -> None:
        """A stop right after a failed start ends at once."""
        self.context.error = OSError(12, "Cannot allocate memory")
        self.supervisor.start()
        stopped = self.supervisor.stop()
        self.clock.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.supervisor.state, "stopped")

    def test_frozen(self) -> None:
        """P88: a child that does not answer is killed at once, and replaced after the Reconnect Timeout (93006)."""
        self.running()
        self.child.owner.child_frozen()
        self.assertEqual(self.child.orders, ["KILL"])
        self.assertIn(93006, self.log.numbers())
        self.child.owner.child_exited(Exit(None, 9))
        self.clock.advance(3)
        self.assertEqual(len(self.context.children), 2)
        self.finish()

    def test_lost_link(self) -> None:
        """P90: a child that lives without a link has 5 s to exit, then gets TERM, then KILL."""
        self.running()
        self.child.owner.child_link_lost("Connection lost")
        self.clock.advance(4.9)
        self.assertEqual(self.child.orders, [])
        self.clock.advance(0.1)
        self.clock.advance(5)
        self.assertEqual(self.child.orders, ["TERM", "KILL"])
        self.child.owner.child_exited(Exit(None, 9))
        self.finish()

    def test_settings_go_to_the_child_in_every_state(self) -> None:
        """P100: after a reload the child gets the settings in force, also one that starts or ends its work."""
        self.supervisor.update()
        self.supervisor.start()
        self.supervisor.update()
        self.child.owner.child_ready(1, "")
        self.supervisor.update()
        self.supervisor.stop()
        self.supervisor.update()
        self.assertEqual(self.child.updates, 3)
        self.child.owner.child_exited(Exit(0))
        self.supervisor.update()
        self.assertEqual(self.child.updates, 3)

    def test_facts_of_an_earlier_child(self) -> None:
        """What an earlier child reports late is not taken for what the present one does; its lines have its own pid."""
        self.running()
        earlier = self.child
        earlier.owner.child_exited(Exit(1))
        self.clock.advance(3)
        earlier.owner.child_exited(Exit(69))
        earlier.owner.child_ready(9999, "")
        earlier.owner.child_link_lost("late")
        earlier.owner.child_frozen()
        earlier.owner.child_output("warning", "late")
        self.assertEqual((self.supervisor.state, self.supervisor.pid, self.child.orders), ("starting", 101, []))
        self.assertEqual(earlier.orders, ["KILL"])
        self.assertEqual(self.context.written, [(None, "warning", 93157, "[default 100] late")])
        self.clock.advance(10)
        self.assertEqual(self.child.orders, [])
        self.child.owner.child_ready(8080, "")
        self.assertEqual((self.supervisor.state, self.supervisor.port), ("running", 8080))
        self.finish()

    def test_waiters_of_a_stop(self) -> None:
        """Of several that wait for a stop one that raises keeps it from nobody."""
        self.running()
        first, second = self.supervisor.stop(), self.supervisor.stop()

        def fail(_: None) -> None:
            raise ZeroDivisionError

        first.addCallback(fail)
        self.child.owner.child_exited(Exit(0))
        self.successResultOf(second)
        self.failureResultOf(first, ZeroDivisionError)
        self.assertEqual(self.supervisor.state, "stopped")

    def test_start_that_raises(self) -> None:
        """Whatever keeps a child from starting, another is tried; the failure is in the log."""
        self.context.defect = ZeroDivisionError("defect")
        self.supervisor.start()
        self.clock.advance(0)
        self.assertEqual(self.supervisor.state, "waiting")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.context.defect = None
        self.clock.advance(3)
        self.assertEqual(self.supervisor.state, "starting")
        self.finish()

    def test_log_lines_of_the_child(self) -> None:
        """P123, P121: a line of the child keeps time and level, and names listener and process; drops are counted."""
        self.running()
        self.child.owner.child_log(Log(lines=[LogLine(time=1_500_000, level="debug", id=7, text="hello")], dropped=4))
        self.assertEqual(self.context.written, [(1.5, "debug", 7, "[default 100] hello")])
        self.assertIn("4 log messages", self.log.text(93007))
        self.finish()

    def test_access_lines_of_the_child(self) -> None:
        """Lines of the access log are written, those of a child on its way out too."""
        self.running()
        lines = AccessLines(text="a\n", count=1)
        self.child.owner.child_access(lines)
        self.supervisor.stop()
        self.child.owner.child_access(lines)
        self.assertEqual(self.context.accesses, [lines, lines])
        self.finish()

    def test_output_of_the_child(self) -> None:
        """P124: what the child prints is a warning in the log of OCS."""
        self.running()
        self.child.owner.child_output("warning", "Traceback {braces}")
        self.assertEqual(self.context.written, [(None, "warning", 93157, "[default 100] Traceback {braces}")])
        self.finish()
