"""What a batch does in the store: the transaction, again where the database asks for that, and one by one at last."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from twisted.python.failure import Failure

from ocsgw.audit.recorder import Record
from ocsgw.contact.backlog import Backlog
from ocsgw.contact.batch import Outcome, execute, may_share, refusal_of
from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import NotAloneError, StoreFailureError, Transaction
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.counters import BATCH_SIZES, COMMIT_SECONDS, COMMITS
from ocsgw.execution.jobs import Store
from ocsgw.execution.pace import Pace, Reading
from ocsgw.execution.pipelining import Sent
from ocsgw.execution.result import BatchResult, joined
from ocsgw.protocol.errors import Refusal
from ocsgw.store.errors import (
    CommitUnknownError,
    ConflictError,
    NotPrimaryError,
    RunFailedError,
    StoreBusyError,
    UndoneTransactionError,
)

# So often a transaction is carried out again because of what others wrote meanwhile.
MOST_ATTEMPTS = 5
# After a run that failed so many batches have savepoints: a client may send nothing but what fails.
_CAREFUL = 100
_COMMITTED, _SIZES, _SECONDS = COMMITS.cell(result="committed"), BATCH_SIZES.cell(), COMMIT_SECONDS.cell()

T = TypeVar("T")


class Transactions:
    """Carries batches out, in whatever thread it is called.

    `audited` is the auditor's `batch`, `unit_of` makes a unit of work; `others_serve` is whether other servers use the
    store.
    """

    def __init__(
        self,
        store: Store,
        audited: Callable[[], AbstractContextManager[Record]],
        unit_of: Callable[[Transaction, Directory], UnitOfWork],
        backlog: Backlog,
        pace: Pace,
        *,
        others_serve: bool,
    ) -> None:
        self._store = store
        self._audited = audited
        self._unit_of = unit_of
        self._backlog = backlog
        self._pace = pace
        self._others_serve = others_serve
        self._careful = 0

    def carry_out(
        self,
        requests: Sequence[PendingRequest],
        directory: Directory,
        wait: float,
        *,
        in_place: bool = False,
        attempt: int = 1,
        alone: bool = False,
    ) -> BatchResult:
        """Carry out a batch, in the worker or `in_place`. Raises `StoreBusyError` only in place.

        A batch that fails as a whole is rolled back and carried out again request by request, each in a transaction of
        its own: a fault stays with its request. `attempt` counts those that the database has asked for again. What
        cannot be decided, or is refused, beside the transactions of other servers is carried out again `alone`.
        """
        alone = alone or not (self._others_serve and may_share(requests))
        begun = self._pace.stopwatch()
        self._careful = max(0, self._careful - 1)
        committing: Reading | None = None
        defects: list[tuple[PendingRequest, Failure]] = []
        try:
            with self._audited() as record, self._store.transaction(wait, alone=alone) as tx:
                unit = self._unit_of(tx, directory)
                if not self._careful:
                    tx.spare_savepoints()
                outcomes = execute(unit, requests, lambda pending, error: defects.append((pending, Failure(error))))
                unit.store_outbox()
                record(unit, requests, outcomes)
                committing = self._pace.stopwatch()
            unit.committed()
            _COMMITTED.value += 1
            _SIZES.observe(len(requests))
            return BatchResult(outcomes, [unit], defects)
        except NotPrimaryError:
            # The store is well; the role service sees to the rest.
            COMMITS.add(result="failed")
            return BatchResult([Outcome(Refusal("unavailable")) for _ in requests])
        except UndoneTransactionError as error:
            COMMITS.add(result="rolled back")
            lone = BatchResult([Outcome(refusal_of(error.refusal))])
        except RunFailedError:
            COMMITS.add(result="repeated")
            self._careful = _CAREFUL
            return self.carry_out(requests, directory, wait, in_place=in_place, attempt=attempt, alone=alone)
        except StoreFailureError as error:
            if in_place and isinstance(error, StoreBusyError):
                raise
            if isinstance(error, ConflictError | NotAloneError) and attempt < MOST_ATTEMPTS:
                COMMITS.add(result="repeated")
                return self.carry_out(requests, directory, wait, attempt=attempt + 1, alone=True)
            COMMITS.add(result="failed")
            return BatchResult([Outcome(Refusal("unavailable")) for _ in requests], failure=str(error))
        except CommitUnknownError as error:
            self._backlog.forget()
            COMMITS.add(result="unknown")
            return BatchResult([Outcome(Refusal("no_response")) for _ in requests], failure=str(error))
        except Exception:  # noqa: BLE001 - whatever it is concerns one request of the batch, or each
            COMMITS.add(result="rolled back")
            lone = BatchResult([Outcome(Refusal("internal"))], defects=[(requests[0], Failure())])
        finally:
            _SECONDS.observe(self._pace.note(begun, committing))
        if len(requests) == 1:
            return lone
        return joined([self.carry_out([pending], directory, wait) for pending in requests])

    def carry_out_chore(
        self, function: Callable[[UnitOfWork], T], directory: Directory, wait: float, *, alone: bool
    ) -> tuple[UnitOfWork, T]:
        """Call a function in a transaction of its own; return what the unit has noted, and its result.

        Raises what the function raises, and the errors of the store.
        """
        at_once = False
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                with self._audited() as record, self._store.transaction(wait, alone=alone) as tx:
                    if at_once:
                        tx.refuse_at_once()
                    unit = self._unit_of(tx, directory)
                    result = function(unit)
                    unit.store_outbox()
                    record(unit, (), ())
            except UndoneTransactionError:
                # A function that deals with rows that a statement refuses, as an import does, is given the chance.
                if at_once or attempt == MOST_ATTEMPTS:
                    raise
                at_once = True
            except ConflictError:
                if attempt == MOST_ATTEMPTS:
                    raise
            except CommitUnknownError:
                self._backlog.forget()
                raise
            else:
                unit.committed()
                return unit, result
        raise AssertionError("the last attempt ends one way or the other")

    def settle(self, sent: Sent, directory: Directory, wait: float) -> BatchResult:
        """Find out what has become of a batch, and carry it out if nothing has; this runs in the worker."""
        try:
            if sent.batch.settle(wait):
                return sent.result()
        except CommitUnknownError as error:
            self._backlog.forget()
            COMMITS.add(result="unknown")
            return BatchResult([Outcome(Refusal("no_response")) for _ in sent.jobs], failure=str(error))
        COMMITS.add(result="repeated")
        return self.carry_out([job.pending for job in sent.jobs], directory, wait)
