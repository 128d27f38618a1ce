"""A timer of the kernel that ends this process if it stands still in the middle of a transaction.

A process that was stopped between the beginning and the end of a transaction keeps the file locked, and nobody but its
end can free it. So a server of a pair lets the kernel end it at the moment at which the other one may take over; the
kernel does so to a stopped process as well. Outside of transactions the timer is off: a server that is stopped then
wakes up as backup.
"""

import ctypes
import errno
import os
import signal
import time

from ocsgw.store.errors import StoreError

# Goes on while the machine sleeps, like the time of leases.
CLOCK = time.CLOCK_BOOTTIME
_BY_SIGNAL = 0
_ABSOLUTE = 1
_NANO = 1_000_000_000


class _Event(ctypes.Structure):
    """`struct sigevent`, which has 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_byte * 48),
    )


class _Times(ctypes.Structure):
    """`struct itimerspec`."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Watchdog:
    """The timer; off at first. Raises `StoreError` on a system that has none."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()
        event = _Event(None, signal.SIGKILL, _BY_SIGNAL)
        try:
            failed = library.timer_create(CLOCK, ctypes.byref(event), ctypes.byref(self._timer))
            self._set = library.timer_settime
            self._delete = library.timer_delete
        except AttributeError:
            failed = -1
            ctypes.set_errno(errno.ENOSYS)
        if failed:
            reason = os.strerror(ctypes.get_errno())
            raise StoreError(f"[ha] needs a timer of the system, which cannot be made: {reason}")
        self._times = _Times(0, 0, 0, 0)
        self._off = _Times(0, 0, 0, 0)

    def arm(self, at: float) -> None:
        """End this process at a time of `CLOCK`, in seconds, unless disarmed before."""
        nanoseconds = max(1, int(at * _NANO))
        self._times.value_s, self._times.value_ns = divmod(nanoseconds, _NANO)
        self._set(self._timer, _ABSOLUTE, ctypes.byref(self._times), None)

    def disarm(self) -> None:
        """The transaction has ended."""
        self._set(self._timer, 0, ctypes.byref(self._off), None)

    def close(self) -> None:
        """Delete the timer."""
        self._delete(self._timer)
