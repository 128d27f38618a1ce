"""Ids of hand-outs."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.execution.guids import RandomGuids, random_guid


def bytes_from(first: int) -> Callable[[int], bytes]:
    """Return what makes bytes that ascend from `first` on."""
    return lambda count: bytes((first + at) % 256 for at in range(count))


class GuidsTest(SynchronousTestCase):
    def test_form(self) -> None:
        """10.8: a call attempt GUID has 32 upper-case letters and digits and is never the same."""
        guids = {random_guid() for _ in range(1000)}
        self.assertEqual(len(guids), 1000)
        for guid in guids:
            self.assertEqual((len(guid), guid.isascii(), guid.isalnum(), guid.upper()), (32, True, True, guid))

    def test_all_bytes_are_used_once(self) -> None:
        """Each id has randomness of its own, and the system is asked for much of it at a time."""
        asked: list[int] = []

        def source(count: int) -> bytes:
            asked.append(count)
            return bytes([len(asked)]) * count

        guids = RandomGuids(source)
        found = [guids() for _ in range(300)]
        self.assertEqual(asked, [4096] * 3)
        self.assertEqual([found.count(letter * 32) for letter in "BCD"], [128, 128, 44])

    def test_every_letter_stands_for_as_many_bytes(self) -> None:
        """No letter is likelier than another."""
        guids = RandomGuids(bytes_from(0))
        text = "".join(guids() for _ in range(8))
        self.assertEqual({text.count(letter) for letter in text}, {8})
        self.assertEqual(len(set(text)), 32)
