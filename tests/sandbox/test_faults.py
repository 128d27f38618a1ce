"""Faults to order, and the virtual clock."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.sandbox.clock import VirtualClock
from ocsgw.sandbox.faults import Fault, Faults

ADD = "/lists/CL_Test?req=AddRecord"
PREVIEW = "/campaigngroups/102?req=PreviewRecordRequest"


class FaultTests(SynchronousTestCase):
    """Which request is hit by which fault."""

    def setUp(self) -> None:
        self.faults = Faults()

    def kinds(self, *targets: str) -> list[str | None]:
        """Return the kinds of the faults that hit requests to these targets."""
        found = [self.faults.next(target) for target in targets]
        return [fault.kind if fault is not None else None for fault in found]

    def test_once(self) -> None:
        """A fault hits one request, then all is as usual."""
        self.faults.order([Fault("reset")])
        self.assertEqual(self.kinds(ADD, ADD), ["reset", None])

    def test_times_and_skip(self) -> None:
        """It may hit several requests, after some others."""
        self.faults.order([Fault("status", times=2, skip=1)])
        self.assertEqual(self.kinds(ADD, ADD, ADD, ADD), [None, "status", "status", None])

    def test_in_their_order(self) -> None:
        """Faults come in the order in which they were ordered."""
        self.faults.order([Fault("delay"), Fault("crash")])
        self.assertEqual(self.kinds(ADD, ADD), ["delay", "crash"])

    def test_of_some_requests(self) -> None:
        """A fault may concern a path or a request alone; others pass by it."""
        self.faults.order([Fault("reset", request="PreviewRecordRequest"), Fault("delay", path="/records/")])
        self.assertEqual(self.kinds(ADD, PREVIEW, "/records/7?REQ=RecordReject"), [None, "reset", "delay"])

    def test_clear(self) -> None:
        """Those that are due can be seen and forgotten."""
        self.faults.order([Fault("reset", times=3)])
        self.kinds(ADD)
        self.assertEqual([each.times for each in self.faults.due()], [2])
        self.faults.clear()
        self.assertEqual(self.kinds(ADD), [None])

    def test_mistakes(self) -> None:
        """A fault that cannot be is refused with a reason."""
        for wrong in (
            b'{"kind":"smoke"}',
            b'{"kind":"delay","seconds":601}',
            b'{"kind":"status","status":99}',
            b'{"kind":"reset","times":0}',
            b'{"kind":"reset","skip":-1}',
            b'{"kind":"reset","color":"red"}',
        ):
            with self.subTest(wrong=wrong), self.assertRaises((msgspec.ValidationError, ValueError)):
                msgspec.json.decode(wrong, type=Fault)


class ClockTests(SynchronousTestCase):
    """`VirtualClock`."""

    def test_clock(self) -> None:
        """It goes as the real one does, from wherever it is put."""
        now = [1000.0]
        clock = VirtualClock(lambda: now[0])
        self.assertEqual(clock(), 1000)
        clock.advance(3600)
        now[0] += 5
        self.assertEqual(clock(), 4605)
        clock.set(50)
        now[0] += 5
        self.assertEqual(clock(), 55)
        clock.reset()
        self.assertEqual(clock(), 1010)
