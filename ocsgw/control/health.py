"""How a server is, for people and for monitoring: single checks, one word, and whether it may get requests.

This is the only place that judges; `ocsctl status`, `/readyz`, `/metrics` and the console show what it says.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Word = Literal["good", "degraded", "down"]
WORDS: tuple[Word, ...] = ("good", "degraded", "down")
# What a load balancer may ask for, and the state of a server that does its work in that role.
ROLES: Mapping[str, str] = {"primary": "active", "backup": "standby"}

# Exit statuses of `ocsctl status --check`, as monitoring systems know them.
CHECK_STATUS: Mapping[Word, int] = {"good": 0, "degraded": 1, "down": 2}


class Check(NamedTuple):
    """One thing that was looked at: `problems` in words, none if all is well; `is_fatal` if they end all service."""

    name: str
    problems: list[str]
    is_fatal: bool = False


class Health(NamedTuple):
    """The word, and each reason why it is not good, the worst first."""

    word: Word
    problems: list[str]


def health_of(status: Mapping[str, Any]) -> Health:
    """Judge what the command `status` shows.

    Down: no request can be carried out. Degraded: some cannot, or something needs the operator.
    """
    checks = list(checks_of(status))
    down = [problem for check in checks if check.is_fatal for problem in check.problems]
    degraded = [problem for check in checks if not check.is_fatal for problem in check.problems]
    word: Word = "down" if down else "degraded" if degraded else "good"
    return Health(word, down + degraded)


def readiness_of(status: Mapping[str, Any], role: str) -> list[Check]:
    """Return whether a server does the work of a role of `ROLES`; what is not fatal keeps no request from it."""
    has_role = status["role"] == role
    checks = [Check("role", [] if has_role else [f"this server is {status['role']}"], is_fatal=True)]
    for check in checks_of(status):
        if check.name == "state" and not check.problems and status["state"] != ROLES[role]:
            check = check._replace(problems=[f"OCS is {status['state']}"])
        checks.append(check)
    return checks


def checks_of(status: Mapping[str, Any]) -> Iterator[Check]:
    """Yield each check, the worst first."""
    state, store, proxies = status["state"], status["store"], status["proxies"]
    yield Check("state", [f"OCS is {state}"] if state in {"opening", "stopping"} else [], is_fatal=True)
    reason = f": {store['reason']}" if store["reason"] else ""
    yield Check("store", [f"the store is {store['state']}{reason}"] if store["state"] != "open" else [], is_fatal=True)
    trouble = status["lease_trouble"]
    yield Check(
        "lease",
        [f"the lease of the store cannot be looked after: {trouble}"] if trouble else [],
        is_fatal=status["role"] == "backup",
    )
    missing = [each for each in proxies if each["state"] != "running"] if state == "active" else []
    # Just after it has become active a server has listeners and no proxies yet.
    wanted = max(len(proxies), status.get("http_listeners", 0))
    none_runs = state == "active" and wanted > 0 and len(missing) == len(proxies)
    yield Check("service", ["no HTTP Proxy is running"] if none_runs else [], is_fatal=True)
    yield Check("proxies", [f"HTTP Proxy of listener {each['name']} is {each['state']}" for each in missing])
    yield Check(
        "lists", [f"calling list {each['name']} is closed: {each['reason']}" for each in status["closed_lists"]]
    )
    yield Check(
        "housekeeping",
        [f"housekeeping fails: {each['name']}, {each['failures']} times in a row" for each in status["chores"]],
    )
    yield Check(
        "hand-outs",
        ["nothing is handed out: too many call report records wait for their receiver"] if status["holds"] else [],
    )
    refused = status["reload_refused"]
    yield Check("configuration", [f"the changed configuration was refused: {refused}"] if refused else [])
