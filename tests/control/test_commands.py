"""The steps of work on lists that `ocsctl` asks a running OCS for."""

from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.control.commands import Controlled, commands_of
from ocsgw.control.errors import ControlError
from ocsgw.operations.steps import OperationError
from ocsgw.store.errors import CommitUnknownError


class FakeOCS:
    """A running OCS whose chores end as a test says."""

    def __init__(self, done: "Deferred[Any]") -> None:
        self._done = done
        self.is_brief = False

    def chore(self, function: object, *, is_brief: bool) -> "Deferred[Any]":
        """Return the end that the test has chosen."""
        self.is_brief = is_brief
        return self._done


class OperationTests(SynchronousTestCase):
    """The command `operation`."""

    def run_operation(self, done: "Deferred[Any]") -> "Deferred[Any]":
        """Carry out a step whose chore ends like this."""
        commands = commands_of(cast("Controlled", FakeOCS(done)))
        ended: Deferred[Any] = commands["operation"].run({"name": "export", "arguments": {}})
        return ended

    def refused(self, error: Exception) -> str:
        """Return what the user is told about an error."""
        failure = self.failureResultOf(self.run_operation(fail(error)), ControlError)
        return str(failure.value)

    def test_result(self) -> None:
        """What the step gives is the result."""
        self.assertEqual(self.successResultOf(self.run_operation(succeed({"rows": 1}))), {"rows": 1})

    def test_brief_steps(self) -> None:
        """Slices of imports are brief, work whose length nobody has chosen is not."""
        for name, is_brief in (("import", True), ("known contacts", True), ("export", False), ("explain", False)):
            ocs = FakeOCS(succeed({}))
            commands_of(cast("Controlled", ocs))["operation"].run({"name": name, "arguments": {}})
            self.assertEqual(ocs.is_brief, is_brief, name)

    def test_errors_are_told_in_words(self) -> None:
        """C41: what was wrong, and whether something was changed; nothing of it is an internal error."""
        self.assertEqual(self.refused(OperationError("there is no such list")), "there is no such list")
        self.assertEqual(
            self.refused(StoreFailureError("disk full")),
            "the store fails: disk full; nothing of this step was changed, try again",
        )
        self.assertEqual(
            self.refused(CommitUnknownError("I/O error")), "this step may be stored or not: I/O error; try again"
        )

    def test_defect(self) -> None:
        """A defect stays what it is, for the log."""
        self.failureResultOf(self.run_operation(fail(ZeroDivisionError())), ZeroDivisionError)
