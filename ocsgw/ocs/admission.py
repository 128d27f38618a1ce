"""How many requests whose answers may be large are in work at the same time, so that the answers fit into memory."""

# Until something is known, an answer is expected to take this part of the budget.
_AT_FIRST = 8
# What each small answer leaves of a large expectation.
_INERTIA = 7 / 8


class Admission:
    """Counts requests in and out, and learns from the sizes of their answers.

    `budget` is how many bytes of answers there may be at once. A large answer makes it careful at once, small ones make
    it confident again bit by bit: where answers are small it holds nobody up.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._expected = budget // _AT_FIRST
        self._inside = 0

    @property
    def room(self) -> int:
        """How many more may enter; there is always room for one."""
        return max(self._budget // max(self._expected, 1) - self._inside, 0 if self._inside else 1)

    def enter(self, count: int = 1) -> None:
        """Requests go to work."""
        self._inside += count

    def leave(self, size: int, count: int = 1) -> None:
        """So many requests have been answered, with `size` bytes each."""
        self._inside -= count
        self._expected = max(size, size + int((self._expected - size) * _INERTIA**count))
