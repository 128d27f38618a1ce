"""What has become of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from twisted.python.failure import Failure

from ocsgw.contact.batch import Outcome
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork


@dataclass(slots=True)
class BatchResult:
    """What the worker brings back to the reactor: one outcome for each request, and what to log once committed.

    `failure` is why the store failed; `defects` are requests that were answered with 500, with what a rule raised.
    """

    outcomes: list[Outcome]
    units: list[UnitOfWork] = field(default_factory=list)
    defects: list[tuple[PendingRequest, Failure]] = field(default_factory=list)
    failure: str | None = None


def joined(results: Sequence[BatchResult]) -> BatchResult:
    """Return the results of requests that were carried out one by one."""
    failures = [each.failure for each in results if each.failure is not None]
    return BatchResult(
        [outcome for each in results for outcome in each.outcomes],
        [unit for each in results for unit in each.units],
        [defect for each in results for defect in each.defects],
        failures[0] if failures else None,
    )
