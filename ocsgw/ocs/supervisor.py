"""The supervisor of one HTTP Proxy: start, readiness, restart after the Reconnect Timeout, stop (section C70 to C76).

The machine has the states of C71. What it must not forget stands in `_Core`; what it does on entering a state stands
beside that state. Every child has a `_Run` of its own, through which it reports: what an earlier child says is never
taken for what the present one does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from automat import TypeMachine, TypeMachineBuilder
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ocsgw.guard import contain, guarded
from ocsgw.logs import Level, say
from ocsgw.ocs.child import Child, ChildOwner, Exit, PortNotHandedError
from ocsgw.protocol.messages import AccessLines, Log

State = Literal["stopped", "starting", "running", "stopping", "waiting"]

EXIT_PORT = 69
# A child that has lost its link leaves by itself; after this time it is asked to, after twice this time killed (P90).
_PATIENCE = 5.0
# What an impatient stop leaves a child, in seconds.
_HURRY = 1.0


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one proxy, in seconds: see `[application] reconnect_timeout` and `[limits]`."""

    reconnect: float
    start: float
    drain: float
    stop: float


class SupervisedProxy(Protocol):
    """The proxy that a supervisor keeps running; asked anew at every use, because a reload may change the answers."""

    def times(self) -> Times:
        """Return the times in force."""

    def start_child(self, owner: ChildOwner) -> Child:
        """Start a process. Raises `OSError`."""

    def url(self, port: int) -> str:
        """Return where the proxy can be reached on a port, for people."""

    def where_configured(self) -> str:
        """Return where the port is configured, for people."""

    def write_log(self, when: float | None, level: Level, number: int, text: str) -> None:
        """Write a line of the child into the one log; `when` in seconds since 1970 UTC, None for now."""

    def write_access(self, message: AccessLines) -> None:
        """Write lines of the child into the access log."""

    def became_ready(self, port: int) -> None:
        """The proxy serves."""

    def ended(self, reason: str) -> None:
        """The proxy has ended unexpectedly, or could not be started."""


class Inputs(Protocol):
    """What can happen to a proxy: orders in the imperative, facts in the past tense."""

    def start(self) -> None:
        """Keep a proxy running."""

    def stop(self) -> None:
        """End the proxy and start no other."""

    def became_ready(self, port: int) -> None:
        """The child has opened its port."""

    def exited(self, ending: Exit) -> None:
        """The child has ended."""

    def wait_ended(self) -> None:
        """The Reconnect Timeout is over."""


@dataclass(eq=False)
class _Core:
    name: str
    context: SupervisedProxy
    clock: IReactorTime
    log: Logger
    state: State = "stopped"
    port: int = 0
    # The present child, none in `stopped` and `waiting`; and the timers of the state.
    run: "_Run | None" = None
    timers: list[IDelayedCall] = field(default_factory=list)
    stop_waiters: list[Deferred[None]] = field(default_factory=list)
    wanted: bool = False
    # Times of the clock: when the present child was started, when the next one will be.
    started_at: float = 0.0
    next_start_at: float = 0.0
    # Why a stop is not the end of the service.
    drain_reason: str | None = None

    def later(self, delay: float, action: Callable[[], object]) -> None:
        """Call `action` unless the state is left before."""
        self.timers.append(self.clock.callLater(delay, action))

    def enter(self, state: State) -> None:
        """Leave the state with its timers, and take the name of the next one."""
        timers, self.timers = self.timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()
        self.state = state

    def escalate(self) -> None:
        """End a child that should leave by itself: first a request, then force (P90)."""
        self.later(_PATIENCE, lambda: self.signal("TERM"))
        self.later(2 * _PATIENCE, lambda: self.signal("KILL"))

    def signal(self, name: str) -> None:
        if self.child is not None:
            self.child.signal(name)

    @property
    def child(self) -> Child | None:
        return self.run.child if self.run is not None else None


class _Run:
    """One child from its start to its exit, and what it reports; only the present one moves the machine."""

    def __init__(self, inputs: Inputs, core: _Core) -> None:
        self._inputs = inputs
        self._core = core
        # None until it has been started.
        self.child: Child | None = None

    @property
    def is_present(self) -> bool:
        """Whether this is the child that the supervisor is concerned with."""
        return self._core.run is self

    def child_ready(self, port: int, interface: str) -> None:
        """Its port is open."""
        if self.is_present:
            self._inputs.became_ready(port)

    def child_log(self, message: Log) -> None:
        """Write its lines, with its own time and level (P123)."""
        if message.dropped:
            say(self._core.log, 93007, listener=self._core.name, count=message.dropped)
        for line in message.lines:
            self._write(line.time / 1_000_000, line.level, line.id, line.text)

    def child_access(self, message: AccessLines) -> None:
        """Write its lines of the access log, those of an old child too."""
        self._core.context.write_access(message)

    def child_output(self, level: Level, text: str) -> None:
        """Write what it printed (P124)."""
        self._write(None, level, 93157, text)

    def child_frozen(self) -> None:
        """It does not answer: end it by force, it would not listen to anything else (P88)."""
        say(self._core.log, 93006, listener=self._core.name, reason="it does not answer and is killed")
        if self.child is not None:
            self.child.signal("KILL")

    def child_link_lost(self, reason: str) -> None:
        """A child without a link leaves by itself, or is made to (P90)."""
        if self.is_present:
            say(self._core.log, 93006, listener=self._core.name, reason=reason)
            self._core.escalate()

    def child_exited(self, ending: Exit) -> None:
        """The process has ended."""
        if self.is_present:
            if self._core.state == "stopping":
                say(self._core.log, 93005, listener=self._core.name)
            self._inputs.exited(ending)

    def _write(self, when: float | None, level: Level, number: int, text: str) -> None:
        pid = self.child.pid if self.child is not None else 0
        self._core.context.write_log(when, level, number, f"[{self._core.name} {pid}] {text}")


def _enter_stopped(inputs: Inputs, core: _Core) -> None:
    core.enter("stopped")
    core.run = None
    waiters, core.stop_waiters = core.stop_waiters, []
    for waiter in waiters:
        guarded(core.log, "stop of a proxy", waiter.callback, None)
    if core.wanted:
        core.wanted = False
        core.later(0, inputs.start)


def _enter_starting(inputs: Inputs, core: _Core) -> None:
    core.enter("starting")
    run = core.run = _Run(inputs, core)
    try:
        child = run.child = core.context.start_child(run)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from starting, it is tried again
        reason = str(error)
        core.run = None
        if not isinstance(error, OSError):
            contain(core.log, "start of a proxy", core.name)
        core.later(0, lambda: inputs.exited(Exit(reason=f"cannot be started: {reason}")))
        return
    core.started_at = core.clock.seconds()
    say(core.log, 93001, listener=core.name, pid=child.pid)
    core.later(core.context.times().start, lambda: _give_up_start(core))


def _give_up_start(core: _Core) -> None:
    say(core.log, 93105, listener=core.name, delay=core.context.times().start)
    if core.child is not None:
        core.child.close_link()
    core.escalate()


def _enter_running(inputs: Inputs, core: _Core, port: int) -> None:
    core.enter("running")
    core.port = port
    say(core.log, 93002, listener=core.name, url=core.context.url(port))
    core.context.became_ready(port)


def _enter_waiting(inputs: Inputs, core: _Core, ending: Exit) -> None:
    core.enter("waiting")
    delay = core.context.times().reconnect
    last_words = core.child.last_words if core.child is not None else None
    core.run = None
    core.next_start_at = core.clock.seconds() + delay
    core.later(delay, inputs.wait_ended)
    if ending.status == EXIT_PORT:
        reason = last_words.text if last_words is not None and last_words.text else str(ending)
        reason = f"{reason}; see {core.context.where_configured()}; trying again in {delay:g} s"
        say(core.log, 93003, listener=core.name, reason=reason)
    else:
        told = f" ({last_words.code}: {last_words.text or 'no reason given'})" if last_words is not None else ""
        reason = f"{ending}{told}"
        say(core.log, 93004, listener=core.name, ending=reason, delay=delay)
    core.later(0, lambda: core.context.ended(reason))


def _enter_stopping(inputs: Inputs, core: _Core) -> None:
    core.enter("stopping")
    times = core.context.times()
    child = core.child
    if child is None:
        # It could not even be started; its end has been reported already.
        core.later(0, lambda: inputs.exited(Exit(reason="was not started")))
        return
    child.drain(times.drain, core.drain_reason)
    core.later(times.drain, child.close_link)
    core.later(times.stop, lambda: child.signal("KILL"))


def _stop_waiting(inputs: Inputs, core: _Core, _data: object) -> None:
    _enter_stopped(inputs, core)


def _finish_stopping(inputs: Inputs, core: _Core, _data: object, ending: Exit) -> None:
    _enter_stopped(inputs, core)


def _want(inputs: Inputs, core: _Core, _data: object) -> None:
    core.wanted = True


def _want_no_more(inputs: Inputs, core: _Core, _data: object) -> None:
    core.wanted = False
    if core.child is not None:
        # This stop may be more urgent than the one before.
        core.child.drain(core.context.times().drain, core.drain_reason)


def _build() -> TypeMachine[Inputs, _Core]:
    builder = TypeMachineBuilder(Inputs, _Core)
    stopped = builder.state("stopped")
    starting = builder.state("starting", _enter_starting)
    running = builder.state("running", _enter_running)
    stopping = builder.state("stopping", _enter_stopping)
    waiting = builder.state("waiting", _enter_waiting)

    stopped.upon(Inputs.start).to(starting).returns(None)
    stopped.upon(Inputs.stop).loop().returns(None)

    starting.upon(Inputs.start).loop().returns(None)
    starting.upon(Inputs.became_ready).to(running).returns(None)
    starting.upon(Inputs.exited).to(waiting).returns(None)
    starting.upon(Inputs.stop).to(stopping).returns(None)

    running.upon(Inputs.start).loop().returns(None)
    running.upon(Inputs.became_ready).loop().returns(None)
    running.upon(Inputs.exited).to(waiting).returns(None)
    running.upon(Inputs.stop).to(stopping).returns(None)

    waiting.upon(Inputs.start).loop().returns(None)
    waiting.upon(Inputs.wait_ended).to(starting).returns(None)
    waiting.upon(Inputs.stop).to(stopped)(_stop_waiting)

    # A start while the old child still ends is remembered; `stopped` acts on it.
    stopping.upon(Inputs.start).loop()(_want)
    stopping.upon(Inputs.stop).loop()(_want_no_more)
    stopping.upon(Inputs.became_ready).loop().returns(None)
    stopping.upon(Inputs.exited).to(stopped)(_finish_stopping)
    return builder.build()


MACHINE = _build()


class Supervisor:
    """Keeps one HTTP Proxy running.

    `name` is the id of the listener. `clock` gives time to every delay. The reactor waits for `stop`, which fires when
    the process has really ended.
    """

    _log = Logger()

    def __init__(self, name: str, context: SupervisedProxy, clock: IReactorTime) -> None:
        self._core = _Core(name, context, clock, self._log)
        self._machine: Inputs = MACHINE(self._core)

    @property
    def state(self) -> State:
        """The state by its name in C71."""
        return self._core.state

    @property
    def pid(self) -> int | None:
        """The process id of the child, None without one."""
        return self._core.child.pid if self._core.child is not None else None

    @property
    def uptime(self) -> float | None:
        """Seconds since the start of the child, None without one."""
        return self._core.clock.seconds() - self._core.started_at if self._core.child is not None else None

    @property
    def next_start(self) -> float | None:
        """Seconds until the next child is started, None unless the supervisor waits for that."""
        return max(0.0, self._core.next_start_at - self._core.clock.seconds()) if self.state == "waiting" else None

    @property
    def port(self) -> int:
        """The port that the running child has opened."""
        return self._core.port

    def start(self) -> None:
        """Keep a proxy running from now on."""
        self._machine.start()

    def stop(self, reason: str | None = None) -> "Deferred[None]":
        """End the proxy (C74); the Deferred fires when the process is gone. The child gets the `reason`."""
        done: Deferred[None] = Deferred()
        self._core.drain_reason = reason
        if self._core.state == "stopped":
            done.callback(None)
        else:
            self._core.stop_waiters.append(done)
            self._machine.stop()
        return done

    def hurry(self) -> None:
        """End at once a child that is about to end: it has to leave now, and is killed a second later."""
        core = self._core
        if core.state == "stopping" and core.child is not None:
            core.child.drain(0.0, core.drain_reason)
            core.later(_HURRY, lambda: core.signal("KILL"))

    def take_port(self) -> "Deferred[int]":
        """Ask the running child for its listening socket; the caller closes it. Fails with `PortNotHandedError`."""
        child = self._core.child
        if child is None or self._core.state != "running":
            return fail(PortNotHandedError(f"the HTTP Proxy of listener {self._core.name} is {self._core.state}"))
        return child.take_port()

    def update(self) -> None:
        """Send the settings in force to the child, in whatever state: one that starts or ends its work too (P100)."""
        if self._core.child is not None:
            self._core.child.update()
