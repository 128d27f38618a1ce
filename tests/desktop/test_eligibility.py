"""When scheduled calls go to a desktop, and to which (protocol.md P23, P24, P34)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.desktop.eligibility import Eligibility, latest


class EligibilityTests(SynchronousTestCase):
    """Starts and ends of preview mode."""

    def test_words(self) -> None:
        """What each sequence of starts and ends leaves for campaigns C and D, without and with the option."""
        rows: list[tuple[str, str, str]] = [
            ("", "CD", ""),
            ("start", "CD", "CD"),
            ("start over", "", ""),
            ("over", "", ""),
            ("over start", "CD", "CD"),
            ("start:C", "CD", "C"),
            ("over:C", "D", ""),
            ("over start:C", "C", "C"),
            ("start over:C", "D", "D"),
            ("start over:C start:C", "CD", "CD"),
            ("start:C over", "", ""),
            ("start:C over:C", "D", ""),
        ]
        for words, without, with_option in rows:
            desktop = Eligibility(1)
            for word in words.split():
                name, _, campaign = word.partition(":")
                if name == "start":
                    desktop.start(1, campaign or None)
                else:
                    desktop.over(campaign or None)
            for needs_start, expected in ((False, without), (True, with_option)):
                able = "".join(each for each in "CD" if desktop.is_eligible(each, needs_start=needs_start))
                self.assertEqual(able, expected, f"{words!r}, option {needs_start}")

    def test_latest(self) -> None:
        """P34: the one that has started last; without any start the one that has connected last."""
        first, second = Eligibility(1), Eligibility(2)
        self.assertIs(latest([first, second]), second)
        first.start(1, None)
        self.assertIs(latest([first, second]), first)
        second.start(2, "C")
        self.assertIs(latest([first, second]), second)
