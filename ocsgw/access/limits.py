"""Limits per client address and per principal: requests per second and connections.

Requests are counted by token buckets, of which only one number is kept: the time at which the bucket is full again.
"""

import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

# An IPv6 client may use any address of the network that it is given.
_IPV6_NETWORK = 64


class Limit(NamedTuple):
    """What one address or principal may do: `rate` requests per second, up to `burst` at once, and `connections`.

    0 is no limit; a `burst` of 0 is that of one second.
    """

    rate: int = 0
    burst: int = 0
    connections: int = 0


class Quota(NamedTuple):
    """What is left after a request: requests, of `limit`, and the seconds until all are there again.

    `wait` is None if the request is within the limit, else the seconds after which one would be.
    """

    limit: int
    remaining: int
    reset: int
    wait: int | None = None


class Buckets:
    """Token buckets by name. No more than `most` are remembered; the one that was used longest ago is forgotten."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: str, rate: int, burst: int, now: float) -> Quota:
        """Take one token, if there is one."""
        full_at = max(self._full_at.get(name, 0.0), now)
        wait = full_at - now - (burst - 1) / rate
        # A token that is there but for the error of a float is there.
        if wait > 1e-9:
            return Quota(burst, 0, math.ceil(full_at - now), max(1, math.ceil(wait)))
        full_at += 1 / rate
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        while len(self._full_at) > self.most:
            self._full_at.popitem(last=False)
        left = burst - (full_at - now) * rate
        return Quota(burst, max(0, math.floor(left + 1e-6)), math.ceil(full_at - now))


@dataclass(slots=True)
class _Kind:
    """What is counted of addresses, or of principals."""

    limit: Limit
    buckets: Buckets
    connections: Counter[str]

    def take(self, name: str, now: float) -> Quota | None:
        """Count a request; None without a limit."""
        rate, burst, _ = self.limit
        return self.buckets.take(name, rate, burst or rate, now) if rate else None

    def enter(self, name: str) -> bool:
        """Count a connection. False: there are enough."""
        if self.limit.connections and self.connections[name] >= self.limit.connections:
            return False
        self.connections[name] += 1
        return True

    def leave(self, name: str) -> None:
        """Forget a connection."""
        self.connections[name] -= 1
        if not self.connections[name]:
            del self.connections[name]


class RateLimiter:
    """Counts the clients of one port; `clock` is in seconds. Memory is bounded by `remembered` and open connections."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._addresses = _Kind(Limit(), Buckets(0), Counter())
        self._principals = _Kind(Limit(), Buckets(0), Counter())

    def use(self, address: Limit, principal: Limit, remembered: int) -> None:
        """Work with these limits from now on; what was counted stays."""
        for kind, limit in ((self._addresses, address), (self._principals, principal)):
            kind.limit = limit
            kind.buckets.most = remembered

    def enter(self, address: str) -> "ClientUsage":
        """Return a visit for a new connection; it is not `admitted` if its address has enough of them."""
        return ClientUsage(self._addresses, self._principals, group_of(address), self._clock)


class ClientUsage:
    """One connection."""

    __slots__ = ("_address", "_addresses", "_clock", "_principal", "_principals", "admitted")

    def __init__(self, addresses: _Kind, principals: _Kind, address: str, clock: Callable[[], float]) -> None:
        self._addresses = addresses
        self._principals = principals
        self._address = address
        self._principal: str | None = None
        self._clock = clock
        self.admitted = addresses.enter(address)

    def request(self) -> Quota | None:
        """Count a request of the address; None without a limit."""
        return self._addresses.take(self._address, self._clock())

    def request_of(self, principal: str) -> Quota | None:
        """Count a request of a principal; None without a limit."""
        return self._principals.take(principal, self._clock())

    def identify(self, principal: str) -> bool:
        """Count the connection as one of a principal. False: that has enough of them."""
        if principal == self._principal:
            return True
        self._forget_principal()
        if not self._principals.enter(principal):
            return False
        self._principal = principal
        return True

    def leave(self) -> None:
        """The connection is gone."""
        if self.admitted:
            self._addresses.leave(self._address)
            self.admitted = False
        self._forget_principal()

    def _forget_principal(self) -> None:
        if self._principal is not None:
            self._principals.leave(self._principal)
            self._principal = None


def tighter(one: Quota | None, other: Quota | None) -> Quota | None:
    """Return the one of two quotas that leaves less."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda each: (each.wait is None, each.remaining))


def group_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, the network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)
