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
        self.asked_behind: list[int] = []
        self.patch(lists, "operation", self.operation)

    def operation(self, view: object, visitor: object, name: str, /, **arguments: Any) -> "Deferred[Any]":
        """Answer an operation."""
        if name == "imports":
            return succeed([{"number": 3, "calling_list": "CL"}])
        self.slices.append(Deferred())
        self.asked_behind.append(arguments["kept_behind"])
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
        # Each answer tells the whole so far; then what was kept comes in slices.
        for removed, kept, behind in ((400, [], 0), (600, [], 0), (600, [7, 8], -2), (600, [9], -1), (600, [], 0)):
            done = {"removed": removed, "kept": kept, "kept_behind": behind, "lasting": {}}
            self.slices[-1].callback({**done, "done": len(self.slices) == 5})
        self.assertEqual(self.successResultOf(first), "Import 3: 600 rows removed; 3 were changed since and stay")
        self.assertEqual((self.asked_behind, self.undoing), ([0, 0, 0, -2, -1], set()))

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
