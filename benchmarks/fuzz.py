"""Broken inputs by the million for everything that reads bytes of others (`make fuzz`).

Inputs are random mutations of well-formed ones. Each has a number, and its number alone decides what it is: the number
of an input that fails is printed, and `--target NAME --first NUMBER --rounds 1` tries it again.
"""

import argparse
import sys
import time
import traceback
from random import Random

from tests.support.fuzzing import BodyTarget, EventTarget, HttpTarget, LinkTarget, Target

TARGETS: dict[str, type[Target]] = {"http": HttpTarget, "body": BodyTarget, "link": LinkTarget, "event": EventTarget}
_PROGRESS = 10.0
_MOST_CHANGES = 4


def mutation(number: int, target: Target, random: Random) -> bytes:
    """Return the input with this number; `random` goes on for its cuts."""
    random.seed(number)
    data = random.choice(target.seeds)
    for _ in range(random.randrange(_MOST_CHANGES) + 1):
        at = int(random.random() * (len(data) + 1))
        kind = random.randrange(7)
        if kind == 0:
            data = data[:at] + bytes((random.getrandbits(8),)) + data[at + 1 :]
        elif kind == 1:
            data = (
                data[:at] + bytes((data[at] ^ (1 << random.getrandbits(3)),)) + data[at + 1 :]
                if at < len(data)
                else data
            )
        elif kind == 2:
            data = data[:at] + random.choice(target.tokens) + data[at:]
        elif kind == 3:
            token = random.choice(target.tokens)
            data = data[:at] + token + data[at + len(token) :]
        elif kind == 4:
            data = data[:at] + data[at + random.randrange(1, 20) :]
        elif kind == 5:
            end = at + random.randrange(1, 40)
            data = data[:end] + data[at:]
        else:
            other = random.choice(target.seeds)
            data = data[:at] + other[int(random.random() * (len(other) + 1)) :]
    return data


def run(name: str, first: int, rounds: int) -> bool:
    """Try the inputs from number `first` on; print the first that fails, and return whether none did."""
    target = TARGETS[name]()
    random = Random()
    began = told = time.monotonic()
    for number in range(first, first + rounds):
        data = mutation(number, target, random)
        try:
            target.check(data, (random.getrandbits(12), random.getrandbits(12)))
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            traceback.print_exc()
            print(f"{name}: input {number} fails ({len(data)} bytes): {data[:2000]!r}", file=sys.stderr)
            return False
        if not number % 256 and time.monotonic() - told >= _PROGRESS:
            told = time.monotonic()
            done = number + 1 - first
            print(f"{name}: {done} of {rounds} inputs, {done / (told - began):.0f}/s", flush=True)
    seconds = time.monotonic() - began
    print(f"{name}: {rounds} inputs in {seconds:.0f} s, {rounds / max(seconds, 0.001):.0f}/s, none fails", flush=True)
    return True


def main() -> int:
    """Return 1 if an input fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description="Try mutations of valid input.")
    parser.add_argument("--rounds", type=int, default=100_000, help="inputs for each target (default: %(default)s)")
    parser.add_argument("--first", type=int, default=None, help="number of the first input (default: from the clock)")
    parser.add_argument("--target", choices=tuple(TARGETS), action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    first = options.first if options.first is not None else time.time_ns() // 1000
    print(f"from input {first} on")
    failed = [name for name in options.target or TARGETS if not run(name, first, options.rounds)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
