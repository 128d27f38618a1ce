"""What the operating system lets the process have."""

import ctypes
import os
import platform
import resource
import struct
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from ocsgw import speedups
from ocsgw.resources import raise_descriptor_limit, take_brief_turns


class DescriptorTests(SynchronousTestCase):
    """The limit of open descriptors."""

    def use(self, soft: int, hard: int) -> None:
        """Pretend that these are the limits."""
        self.limits = (soft, hard)
        self.patch(resource, "getrlimit", lambda _: self.limits)
        self.patch(resource, "setrlimit", self.set)

    def set(self, number: int, limits: tuple[int, int]) -> None:
        self.assertEqual(number, resource.RLIMIT_NOFILE)
        self.limits = limits

    def test_raised(self) -> None:
        """`[limits] connections` counts on the hard limit: the soft one is raised to it."""
        self.use(1024, 65536)
        self.assertEqual(raise_descriptor_limit(), 65536)
        self.assertEqual(self.limits, (65536, 65536))

    def test_nothing_to_raise(self) -> None:
        """A soft limit that is the hard one is left alone."""
        self.use(4096, 4096)
        self.patch(resource, "setrlimit", self.fail)
        self.assertEqual(raise_descriptor_limit(), 4096)

    def test_refused(self) -> None:
        """Where the system does not allow it, the soft limit counts."""

        def refuse(number: int, limits: tuple[int, int]) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.use(1024, 65536)
        self.patch(resource, "setrlimit", refuse)
        self.assertEqual(raise_descriptor_limit(), 1024)


# sched_getattr(2) on the machines that we know of; the fields of struct sched_attr.
_GETTERS = {"x86_64": 315, "aarch64": 275}
_FIELDS = struct.Struct("=IIQiIQQQ")


class Scheduling(SynchronousTestCase):
    """The slices that the scheduler gives a process; in a thread of the test, which alone is changed."""

    def brief(self, policy: int) -> tuple[bool, int, int, bool]:
        """Return for a thread with such a policy: whether it was taken; then its policy, niceness, if it is brief."""
        found: list[tuple[bool, int, int, bool]] = []

        def run() -> None:
            os.sched_setscheduler(0, policy, os.sched_param(0))
            taken = take_brief_turns()
            buffer = ctypes.create_string_buffer(_FIELDS.size + 8)
            getter = _GETTERS[platform.machine()]
            self.assertEqual(ctypes.CDLL(None).syscall(getter, 0, buffer, len(buffer), 0), 0)
            _, now, _, nice, _, slice_of_it, _, _ = _FIELDS.unpack_from(buffer.raw)
            found.append((taken, now, nice, slice_of_it == 500_000))

        thread = Thread(target=run)
        thread.start()
        thread.join()
        return found[0]

    def test_brief_turns(self) -> None:
        """The usual policy and the niceness stay; the slice is shorter than that of others, where Linux knows it."""
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        version = tuple(int(part) for part in platform.release().split(".")[:2])
        knows = speedups.is_used() and version >= (6, 12)
        self.assertEqual(
            self.brief(os.SCHED_OTHER),
            (speedups.is_used(), os.SCHED_OTHER, nice, knows),
        )

    def test_other_policies(self) -> None:
        """Who has been given another policy keeps it."""
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(self.brief(os.SCHED_BATCH), (False, os.SCHED_BATCH, nice, False))
