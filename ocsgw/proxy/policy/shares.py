"""Requests in work of all connections together: each has a share of its own (http.md H3, H33)."""


class RequestShares:
    """Counts requests in work. `most` is how many OCS takes at a time.

    A connection may have one request always, and more as long as that is less than what is left of half of `most`. So
    those that send many share one half, the more of them the less each, and the other half is there for those that send
    one at a time.
    """

    __slots__ = ("most", "total")

    def __init__(self) -> None:
        self.most = 0
        self.total = 0

    def may_take(self, held: int) -> bool:
        """Whether a connection that has `held` requests in work may have another one."""
        return held == 0 or held < (self.most >> 1) - self.total
