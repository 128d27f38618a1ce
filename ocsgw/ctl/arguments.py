"""Arguments of commands that are read as something else than text."""

import argparse
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def argument(read: Callable[[str], T], fits: Callable[[T], bool], wanted: str) -> Callable[[str], T]:
    """Return a `type` for argparse: what `read` makes of a text, if it `fits`; `wanted` tells people what does."""

    def checked(text: str) -> T:
        try:
            value = read(text)
        except ValueError:
            pass
        else:
            if fits(value):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")

    return checked


# How much somebody wants to see.
amount = argument(int, lambda number: number >= 1, "a whole number, 1 or more")
