"""What two servers of a pair have to have in common (C88)."""

import json

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import load
from ocsgw.ocs.objects import differences, objects_of
from tests.ocs.service import ServiceTestCase

_OURS = '{"calling_list":{"A":201,"B":202},"tenant":{"T":1}}'


class ObjectTests(ServiceTestCase):
    """The objects of a real configuration."""

    def test_configuration(self) -> None:
        """Every kind of object that the store knows by its DBID is compared, treatments too."""
        ours = objects_of(load(self.path))
        self.assertEqual(differences(ours, ours), [])
        self.configure(more="")
        text = self.path.read_text(encoding="utf-8").replace("dbid = 401", "dbid = 402")
        self.path.write_text(text.replace("dbid = 201", "dbid = 209"), encoding="utf-8")
        self.assertEqual(
            differences(ours, objects_of(load(self.path))),
            [
                "calling_list CL_Test has DBID 201 here and 209 on the primary",
                "treatment busy has DBID 401 here and 402 on the primary",
            ],
        )
        text = text.replace("dbid = 402", "dbid = 401").replace('name = "remarks"', 'name = "notes"', 1)
        self.path.write_text(text, encoding="utf-8")
        theirs = objects_of(load(self.path))
        self.assertEqual(differences(ours, theirs), ["calling_list CL_Test has other fields here than on the primary"])


class DifferenceTests(SynchronousTestCase):
    """Differences in words."""

    def test_missing(self) -> None:
        """An object that only one of both has is named with the side that has it."""
        theirs = '{"calling_list":{"A":201,"C":203},"tenant":{"T":1}}'
        self.assertEqual(
            differences(_OURS, theirs),
            [
                "calling_list B is only configured here",
                "calling_list C is only configured on the primary",
            ],
        )

    def test_tables(self) -> None:
        """A list in another table, or with other fields, is named; an earlier version says nothing of them."""
        ours = (
            '{"calling_list":{"A":201},"fields":{"calling_list A":7},"table":{"calling_list A":"a","do_not_call":"d"}}'
        )
        self.assertEqual(
            differences(ours, ours.replace('"a"', '"b"').replace('"d"', '"e"').replace("7", "8")),
            [
                "calling_list A has other fields here than on the primary",
                "calling_list A has table a here and b on the primary",
                "do_not_call has table d here and e on the primary",
            ],
        )
        self.assertEqual(
            differences('{"mode":{"[ha]":"pair"}}', '{"mode":{"[ha]":"active"}}'),
            ["[ha] has mode pair here and active on the primary"],
        )
        self.assertEqual(differences(ours, '{"calling_list":{"A":201}}'), [])
        self.assertEqual(differences('{"calling_list":{"A":201}}', ours), [])

    def test_many(self) -> None:
        """So many that nobody reads them are counted."""
        many = json.dumps({"calling_list": {f"L{at}": at for at in range(30)}})
        self.assertEqual(differences(many, '{"calling_list":{}}')[-1], "and 10 more")

    def test_another_version(self) -> None:
        """What an earlier or later version has written there, or nothing, is no difference."""
        for theirs in ("", "[]", '{"calling_list": 7}', "\x00"):
            self.assertEqual(differences(_OURS, theirs), [])
