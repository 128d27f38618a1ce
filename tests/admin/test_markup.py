"""Texts that others have written, in pages."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.console.markup import el


class MarkupTests(SynchronousTestCase):
    """What becomes of characters that are no signs."""

    def test_controls(self) -> None:
        """Controls are shown; line ends, tabs and letters of all scripts stay, and so does what a form sends back."""
        self.assertEqual(el("p", "a\x1b[2Jb\0c\u202egnp.csv\x9b"), "<p>a\\x1b[2Jb\\x00c\\u202egnp.csv\\x9b</p>")
        self.assertEqual(el("p", "\u05d0\u200f\tm\u00fc\r\n<"), "<p>\u05d0\u200f\tm\u00fc\r\n&lt;</p>")
        self.assertEqual(el("input", title="\u202ex", value="\u202ex"), '<input title="\\u202ex" value="\u202ex">')
