"""An import that is taken back from the console."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.console import lists
from ocsgw.admin.console.pages import PageError
from ocsgw.control.errors import ControlError


class UndoTests(SynchronousTestCase):
    """Slices of an undo, answered as the test wants it."""

    def setUp(self) -> None:
        self.undoing: set[int] = set()
        self.slices: list[Deferred[Any]] = []
        self.patch(lists, "operation", self.operation)

    def operation(self, view: object, visitor: object, name: str, /, **arguments: Any) -> "Deferred[Any]":
        """Answer an operation."""
        if name == "imports":
            return succeed([{"number": 3, "calling_list": "CL"}])
        self.slices.append(Deferred())
        return self.slices[-1]

    def undo(self, number: str = "3") -> "Deferred[Any]":
        """Send the form."""
        page: Any = SimpleNamespace(door=SimpleNamespace(view=None))
        request: Any = SimpleNamespace(args={b"number": [number.encode()], b"reason": [b"a test"]})
        visitor: Any = None
        return lists.undo(page, request, visitor, self.undoing, is_of_list=True)

    def test_twice_at_once(self) -> None:
        """The second of two is refused while the first is under way, which tells the whole number."""
        first = self.undo()
        refused = self.failureResultOf(self.undo("03"), PageError).value
        self.assertEqual((refused.code, str(refused)), (409, "import 3 is being taken back already"))
        for removed in (400, 200, 0):
            done: dict[str, Any] = {"removed": removed, "kept": [], "done": not removed, "lasting": {}}
            self.slices[-1].callback(done)
        self.assertEqual(self.successResultOf(first), "Import 3: 600 rows removed")
        self.assertEqual((len(self.slices), self.undoing), (3, set()))

    def test_goes_on(self) -> None:
        """One that failed is sent again."""
        first = self.undo()
        self.slices[-1].errback(ControlError("the store fails"))
        self.failureResultOf(first, ControlError)
        self.assertNoResult(self.undo())

    def test_no_number(self) -> None:
        """What is not a number is refused, however long it is."""
        for number in ("x", "", "-1", "9" * 5000):
            with self.subTest(number=number[:10]):
                self.assertEqual(self.failureResultOf(self.undo(number), PageError).value.code, 400)
