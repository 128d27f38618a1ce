"""Whether a batch waits a moment for clients that are just being answered (docs/architecture.md).

Who sends one request after the other comes back as soon as it has its answer. Those that a batch answers, and those
that came meanwhile, would take turns for ever: two batches of half the size, each with all the statements and the
commit of a whole one. A short pause joins them.
"""

from collections.abc import Callable

# Beyond so many requests what a batch costs beside them hardly counts; where batches go beside each other, that one
# prepares the next while another is being committed makes up for it earlier.
_FEW, _FEW_BESIDE = 64, 12
# Of the time of the last batch; at least and at most so many seconds, beyond and below which a pause gains nothing.
_SHARE, _SHORTEST, _LONGEST = 0.5, 0.0005, 0.005
# After what the reactor has carried out itself nobody else goes on meanwhile: the pause may be as long as clients with
# TLS take to come back, and ends when two thirds are there. A shorter batch, of so many seconds at least, waits for
# fewer clients: between two batches of more of them HTTP Proxy works while one is carried out.
_SHARE_HERE = 2
_LONG_HERE, _SHORTEST_HERE, _FEW_HERE = 0.002, 0.0003, 40
# After a pause in vain so many batches begin at once, after each further one four times as many, up to a limit: these
# clients do not wait for their answers. Each pause that was worth it halves the number.
_WITHOUT, _MOST_WITHOUT = 2, 128


class Gathering:
    """Tells how long a batch waits, and for how many requests (`enough`)."""

    def __init__(self) -> None:
        self.enough = 0
        # With fewer the pause was in vain.
        self._worth = 0
        self._without, self._next_without = 0, _WITHOUT
        # Of the last batch that the reactor has carried out: until when the next one waits for its clients, how many it
        # may be then, how many these are, and whether others came meanwhile.
        self._until = 0.0
        self._few = _FEW
        self._answered = 0
        self._others = False

    def pause(self, answered: int, waiting: int, took: float, *, beside: bool = False) -> float:
        """Return for how many seconds the next batch waits at most, 0.0 if it begins at once.

        The last one has taken `took` seconds and is about to answer so many requests, and so many wait already.
        `beside` is whether the next one may go beside others.
        """
        if waiting == 0 or answered + waiting > (_FEW_BESIDE if beside else _FEW):
            return 0.0
        if self._without:
            self._without -= 1
            return 0.0
        pause = min(_SHARE * took, _LONGEST)
        if pause < _SHORTEST:
            return 0.0
        self.enough, self._worth = answered + waiting, waiting + (answered + 1) // 2
        return pause

    def answering(self, answered: int, begun: float, now: float, others: Callable[[], bool]) -> None:
        """Note that the reactor itself has carried out a batch since `begun`, and is about to answer its requests.

        `others` says whether requests have come meanwhile; how many is known once they have been read.
        """
        took = now - begun
        if took >= _SHORTEST_HERE and answered > 1:
            self._few = _FEW if took >= _LONG_HERE else _FEW_HERE
            self._until, self._answered, self._others = now + min(_SHARE_HERE * took, _LONGEST), answered, others()

    def still(self, waiting: int, now: float) -> float:
        """Return for how many seconds the next batch of the reactor waits at most, 0.0 if it begins at once."""
        if not self._until:
            return 0.0
        pause, self._until = self._until - now, 0.0
        waited = waiting if self._others else 0
        enough = waited + (2 * self._answered + 2) // 3
        if pause <= 0 or waiting >= enough or waited + self._answered > self._few:
            return 0.0
        if self._without:
            self._without -= 1
            return 0.0
        self.enough = self._worth = enough
        return pause

    @staticmethod
    def too_many(on_their_way: int) -> int:
        """Return how many requests go beside those on their way; fewer had better wait and be joined by them."""
        return max(1, _FEW_BESIDE + 1 - on_their_way)

    def note(self, waiting: int) -> None:
        """Note that a pause is over, and how many requests wait now."""
        if waiting < self._worth:
            self._without = self._next_without
            self._next_without = min(4 * self._next_without, _MOST_WITHOUT)
        else:
            self._next_without = max(self._next_without // 2, _WITHOUT)
