"""Which Python this is."""

import sysconfig
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.interpreter import description, is_optimized


class InterpreterTests(SynchronousTestCase):
    """How an interpreter was built is read from what it says of itself."""

    def build(self, arguments: str | None, *schemes: str) -> None:
        """Let the interpreter be one that was built with these arguments and has these schemes of folders."""
        for name, value in (("get_config_var", lambda _: arguments), ("get_scheme_names", lambda: schemes)):
            patch = mock.patch.object(sysconfig, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def test_option(self) -> None:
        """The usual option is seen."""
        self.build("'--enable-optimizations' '--with-lto'", "posix_prefix")
        self.assertTrue(is_optimized())
        self.assertIn("built with optimizations", description())

    def test_debian(self) -> None:
        """Debian's own build does without the option."""
        self.build("'--enable-shared'", "deb_system", "posix_prefix")
        self.assertTrue(is_optimized())

    def test_without(self) -> None:
        """A build without it, or one that says nothing, is a slow one."""
        for arguments in ("'--enable-shared'", "", None):
            self.build(arguments, "posix_prefix")
            self.assertFalse(is_optimized())
        self.assertIn("WITHOUT", description())
