"""How a server is, in one word, for people and for monitoring: good, degraded, down."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Word = Literal["good", "degraded", "down"]

# Exit statuses of `ocsctl status --check`, as monitoring systems know them.
CHECK_STATUS: Mapping[Word, int] = {"good": 0, "degraded": 1, "down": 2}


class Health(NamedTuple):
    """The word, and each reason why it is not good, the worst first."""

    word: Word
    problems: list[str]


def health_of(status: Mapping[str, Any]) -> Health:
    """Judge what the command `status` shows.

    Down: no request can be carried out. Degraded: some cannot, or something needs the operator.
    """
    down = list(_down(status))
    degraded = list(_degraded(status))
    word: Word = "down" if down else "degraded" if degraded else "good"
    return Health(word, down + degraded)


def _down(status: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    state, store, proxies = status["state"], status["store"], status["proxies"]
    if state in {"opening", "stopping"}:
        problems.append(f"OCS is {state}")
    if store["state"] != "open":
        reason = f": {store['reason']}" if store["reason"] else ""
        problems.append(f"the store is {store['state']}{reason}")
    if state == "active" and proxies and all(each["state"] != "running" for each in proxies):
        problems.append("no HTTP Proxy is running")
    return problems


def _degraded(status: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    if status["state"] == "active":
        problems += [
            f"HTTP Proxy of listener {each['name']} is {each['state']}"
            for each in status["proxies"]
            if each["state"] != "running"
        ]
    problems += [f"calling list {each['name']} is closed: {each['reason']}" for each in status["closed_lists"]]
    problems += [f"housekeeping fails: {each['name']}, {each['failures']} times in a row" for each in status["chores"]]
    if status["reload_refused"]:
        problems.append(f"the changed configuration was refused: {status['reload_refused']}")
    return problems
