"""How many requests whose answers may be large are in work at the same time, so that the answers fit into memory."""

# Until something is known, an answer is expected to take this part of the budget; and how fast confidence grows.
_AT_FIRST = 8
_INERTIA = 8


class Admission:
    """Counts requests in and out, and learns from the sizes of their answers.

    `budget` is how many bytes of answers there may be at once. A large answer makes it careful at once, small ones make
    it confident again bit by bit: where answers are small it holds nobody up.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._expected = budget // _AT_FIRST
        self._inside = 0

    def has_room(self) -> bool:
        """Whether one more may enter; there is always room for one."""
        return self._inside == 0 or (self._inside + 1) * self._expected <= self._budget

    def enter(self) -> None:
        """A request goes to work."""
        self._inside += 1

    def leave(self, size: int) -> None:
        """A request has been answered with so many bytes."""
        self._inside -= 1
        self._expected = max(size, (self._expected * (_INERTIA - 1) + size) // _INERTIA)
