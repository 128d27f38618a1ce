"""Simulated dialers, for demonstrations and load: `python -m ocsgw.client.simulate http://127.0.0.1:8080 --group 102`.

Calls are drawn from a distribution of results and last as long as calls do, in real time or in no time at all.
"""

import argparse
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ocsgw.client.answers import Answer
from ocsgw.client.blocking import BlockingClient
from ocsgw.client.dialer import CallOutcome, Tally, dial
from ocsgw.client.http import HttpClient
from ocsgw.client.requests import Group

# What comes of calls where nothing else is said: result -> share in per cent, and the mean seconds that one takes.
RESULTS: Mapping[str, float] = {
    "Answer": 35,
    "Answering Machine": 25,
    "No Answer": 22,
    "Busy": 8,
    "SIT Invalid Num": 5,
    "Wrong Party": 3,
    "Do Not Call": 2,
}
_SECONDS: Mapping[str, float] = {"Answer": 120.0, "Do Not Call": 30.0, "Wrong Party": 20.0}
_OTHER_SECONDS = 25.0


class SimulatedCalls:
    """Places calls that never happen: draws a result by its share, and waits as long as such a call takes.

    `results` has shares that need not add up to 100; "Do Not Call" puts the contact on the list. `wait` gets the
    seconds of each call.
    """

    def __init__(self, results: Mapping[str, float], chance: random.Random, wait: Callable[[float], None]) -> None:
        if not results or min(results.values()) < 0 or not sum(results.values()):
            raise ValueError("results need shares of at least 0, and one above")
        self._names = list(results)
        self._shares = list(results.values())
        self._chance = chance
        self._wait = wait

    def __call__(self, record: Answer) -> CallOutcome:
        """Place a call."""
        (name,) = self._chance.choices(self._names, self._shares)
        self._wait(self._chance.expovariate(1 / _SECONDS.get(name, _OTHER_SECONDS)))
        return CallOutcome(do_not_call=True) if name == "Do Not Call" else CallOutcome(name)


def shares_of(text: str) -> dict[str, float]:
    """Return the distribution that a text such as `Answer=40,Busy=20` says. Raises `ValueError`."""
    shares = {}
    for part in text.split(","):
        name, sign, share = part.partition("=")
        if not sign:
            raise ValueError(f"{part} is not a result with its share, such as Busy=20")
        shares[name.strip()] = float(share)
    return shares


def simulate(
    url: str,
    group: Group,
    *,
    dialers: int,
    calls: int,
    results: Mapping[str, float],
    seed: int,
    wait: Callable[[float], None],
    key: str | None = None,
) -> Tally:
    """Let so many dialers share so many calls, each on a connection of its own; return what they have done."""
    total = Tally()
    lock = threading.Lock()

    def work(number: int) -> None:
        share = calls // dialers + (number < calls % dialers)
        placed = SimulatedCalls(results, random.Random(f"{seed}-{number}"), wait)  # noqa: S311 - no secret
        parts = urlsplit(url)
        if parts.scheme == "ocs":
            with BlockingClient([(parts.hostname or "127.0.0.1", parts.port or 0)], key=key) as client:
                tally = dial(client, group, placed, most=share, wait=wait)
        else:
            http = HttpClient(url, key=key)
            try:
                tally = dial(http, group, placed, most=share, wait=wait)
            finally:
                http.close()
        with lock:
            total.results += tally.results
            total.errors += tally.errors
            total.empty += tally.empty

    threads = [threading.Thread(target=work, args=(number,)) for number in range(min(dialers, calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def main() -> int:
    """Run the command line; 1 if nothing was called."""
    parser = argparse.ArgumentParser(prog="python -m ocsgw.client.simulate", description="Simulated dialers.")
    parser.add_argument("url", help="http://HOST:PORT of an HTTP listener, or ocs://HOST:PORT of an ocs listener")
    parser.add_argument("--group", required=True, help="campaign group by its DBID, or the name of its campaign (ocs)")
    parser.add_argument("--dialers", type=int, default=4, metavar="N", help="at work at once (%(default)s)")
    parser.add_argument("--calls", type=int, default=100, metavar="N", help="of all together, at most (%(default)s)")
    parser.add_argument(
        "--results", type=shares_of, default=RESULTS, metavar="NAME=SHARE,...", help="what comes of calls"
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=0.0,
        metavar="TIMES",
        help="calls last as long as real ones divided by this; by default no time at all",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (%(default)s)")
    parser.add_argument("--key", help="an API key")
    given = parser.parse_args()
    if given.dialers < 1 or given.calls < 1 or given.speed < 0:
        parser.error("--dialers and --calls are at least 1, --speed is at least 0")

    def wait(seconds: float) -> None:
        if given.speed:
            time.sleep(seconds / given.speed)

    began = time.monotonic()
    group: Group = int(given.group) if given.group.isdigit() else given.group
    tally = simulate(
        given.url,
        group,
        dialers=given.dialers,
        calls=given.calls,
        results=given.results,
        seed=given.seed,
        wait=wait,
        key=given.key,
    )
    seconds = time.monotonic() - began
    for name, count in tally.results.most_common():
        sys.stdout.write(f"{name:24} {count:8}\n")
    for name, count in tally.errors.most_common():
        sys.stdout.write(f"error {name:18} {count:8}\n")
    sys.stdout.write(f"{tally.calls} calls in {seconds:.1f} s, {tally.calls / max(seconds, 1e-9):.0f}/s\n")
    return 0 if tally.calls else 1


if __name__ == "__main__":
    sys.exit(main())
