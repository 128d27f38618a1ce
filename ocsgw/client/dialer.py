"""The loop of a dialer: fetch a record, call it, report what came of it."""

import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ocsgw.client.answers import Answer, OcsClientError, OutcomeUnknownError, RequestError
from ocsgw.client.requests import CallbackType, Group, Requests
from ocsgw.protocol.messages import KVValue


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What came of one call.

    `result` is a call result by number or name. `again_at` agrees a callback, as in `11/28/2026 09:30`; `do_not_call`
    puts the contact on the do-not-call list instead of a result.
    """

    result: int | str = "Answer"
    again_at: str | None = None
    callback: CallbackType = "Campaign"
    do_not_call: bool = False


@dataclass(slots=True)
class Tally:
    """What a dialer has done: calls by result, how often there was nothing to call, and errors by code."""

    results: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return self.results.total()


def dial(
    client: Requests[Answer],
    group: Group,
    call: Callable[[Answer], CallOutcome],
    *,
    most: int | None = None,
    goes_on: Callable[[], bool] = lambda: True,
    wait: Callable[[float], None] = time.sleep,
    idle: float = 1.0,
    agent_id: str | None = None,
) -> Tally:
    """Call records of a campaign group until `most` were called, or `goes_on` says no; return what was done.

    `call` places one call and says what came of it. With nothing to call, or while the server cannot be reached, it
    waits for `idle` seconds; `most` of None never ends by itself, a number ends too when there is nothing to call. Each
    report has an idempotency key, and is repeated when its answer was lost: nothing is reported twice.
    """
    tally = Tally()
    while goes_on() and (most is None or tally.calls < most):
        keys: dict[str, KVValue] = {"GSW_AGENT_ID": agent_id} if agent_id is not None else {}
        try:
            record = client.preview(group, **keys)
        except OcsClientError as error:
            tally.errors[_code_of(error)] += 1
            if isinstance(error, RequestError) and most is not None:
                break
            wait(idle)
            continue
        if record.handle is None or not record.is_record:
            tally.empty += 1
            if most is not None:
                break
            wait(idle)
            continue
        outcome = call(record)
        tally.results["Do Not Call" if outcome.do_not_call else str(outcome.result)] += 1
        _report(client, record.handle, outcome, tally, wait, idle)
    return tally


def _report(
    client: Requests[Answer],
    handle: int,
    outcome: CallOutcome,
    tally: Tally,
    wait: Callable[[float], None],
    idle: float,
) -> None:
    """Report the outcome of a call, again and again while nobody knows whether it has arrived."""
    name = uuid.uuid4().hex
    if outcome.do_not_call:
        steps = [lambda: client.do_not_call(handle, idempotency_key=f"{name}-dnc")]
    else:
        steps = [lambda: client.processed(handle, outcome.result, idempotency_key=f"{name}-done")]
        if outcome.again_at is not None:
            again_at = outcome.again_at
            steps.insert(
                0, lambda: client.reschedule(handle, again_at, outcome.callback, idempotency_key=f"{name}-again")
            )
    for step in steps:
        while True:
            try:
                step()
            except OutcomeUnknownError:
                tally.errors["repeated"] += 1
                wait(idle)
                continue
            except OcsClientError as error:
                # The hand-out is over, for example because it took too long; the next record is as good.
                tally.errors[_code_of(error)] += 1
                return
            break


def _code_of(error: OcsClientError) -> str:
    return error.code if isinstance(error, RequestError) else type(error).__name__
