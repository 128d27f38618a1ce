"""Example records, for tests that want something to be there."""

from twisted.internet.defer import Deferred

from ocsgw.contact.batch import Outcome
from ocsgw.contact.unit_of_work import PendingRequest
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.requests import REQUESTS
from ocsgw.sandbox.orders import OrderError

# Of the numbers that are kept for fiction.
_FIRST = 6505550100
_CONTEXT = RequestContext(peer="sandbox")


def add_examples(committer: Committer, records: int) -> "Deferred[int]":
    """Add records to the first calling list, with one number after the other; fires with how many there are more.

    Fails with `OrderError`; those that were added stay.
    """
    name = next((each.name for each in committer.directory.calling_lists if each.enabled), None)
    done: Deferred[int] = Deferred()
    outcomes: list[Outcome] = []

    def take(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if len(outcomes) < records:
            return
        refused = [each.reply.text for each in outcomes if isinstance(each.reply, Refusal)]
        if refused:
            done.errback(OrderError(refused[0]))
        else:
            done.callback(records)

    for number in range(records):
        data = {
            "GSW_AGENT_REQ_TYPE": "AddRecord",
            "GSW_CALLING_LIST": name,
            "GSW_PHONE": str(_FIRST + number),
        }
        committer.submit(Job(PendingRequest(REQUESTS["AddRecord"], dict(data), _CONTEXT), take))
    return done
