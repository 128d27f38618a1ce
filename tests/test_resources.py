"""What the operating system lets the process have."""

import resource

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.resources import raise_descriptor_limit


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
