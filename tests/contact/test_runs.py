"""Which requests of a batch are carried out together (protocol.md P41)."""

from ocsgw.contact.runs import cut_into_runs, unmatched_blocks
from ocsgw.protocol.messages import KV
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    pending,
    preview_record,
)


class RunTests(RuleTestCase):
    """Runs of a batch of several kinds."""

    def runs(self, *data: KV) -> list[tuple[str, list[int]]]:
        """Return the kinds of runs with the places of their requests."""
        requests = [pending(each) for each in data]
        places = range(len(requests))
        runs = self.store.chore(
            lambda unit: cut_into_runs(
                requests, places, unit.directory, lambda: unmatched_blocks(unit, requests, places)
            )
        )
        return [(each.kind, each.places) for each in runs]

    def test_numbers_of_nobody(self) -> None:
        """A DoNotCall for a number that no record has keeps nothing from being carried out together."""
        handle = self.hand_out("7771")
        mixed = [
            preview_record(),
            by_handle("RecordProcessed", handle),
            by_phone("DoNotCall", "1234567"),
            add_record("8881"),
            preview_record(),
            by_phone("DoNotCall", "1234568"),
            by_handle("RecordReject", handle),
            add_record("8882"),
        ]
        self.assertEqual(
            self.runs(*mixed),
            [
                ("PreviewRecordRequest", [0, 4]),
                ("by handle", [1, 6]),
                ("DoNotCall", [2, 5]),
                ("AddRecord", [3, 7]),
            ],
        )

    def test_numbers_of_records(self) -> None:
        """A DoNotCall stays in its place where a record has its contact, in any spelling, or may get it meanwhile."""
        handle = self.hand_out("650-555.7771")
        update = by_handle("UpdateCallCompletionStats", handle)
        for blocked, between in (
            (by_phone("DoNotCall", "6505557771"), update),
            (by_phone("DoNotCall", "1234567"), {**update, "GSW_PHONE": "123-4567"}),
            (by_phone("DoNotCall", "1234567"), add_record("123-4567")),
            (by_customer_id("DoNotCall", "nobody"), update),
        ):
            kinds = [kind for kind, _ in self.runs(preview_record(), between, blocked, preview_record())]
            self.assertEqual(kinds.count("PreviewRecordRequest"), 2, blocked)
            self.assertEqual(kinds.index("DoNotCall"), 2, blocked)

    def test_a_list_that_is_not_open(self) -> None:
        """K12: what its records have for contacts is not known."""
        self.store.sql("DROP TABLE CL_CALLBACK")
        kinds = [kind for kind, _ in self.runs(preview_record(), by_phone("DoNotCall", "1"), preview_record())]
        self.assertEqual(kinds, ["PreviewRecordRequest", "DoNotCall", "PreviewRecordRequest"])

    def test_in_order_all_the_same(self) -> None:
        """H260 to H266: several in one run do what they do one after the other."""
        self.add("1")
        self.add("2", GSW_REFERENCE_ID=1)
        replies = self.replies(
            by_phone("DoNotCall", "1"),
            by_phone("DoNotCall", "9"),
            by_phone("DoNotCall", "1", GSW_CHAIN_ATTR="AllChain"),
            by_phone("DoNotCall", "9" * 200),
            by_customer_id("DoNotCall", "c"),
            by_customer_id("DoNotCall", "c"),
        )
        self.assertEqual([each.get("GSW_RECORDS_COUNT") for each in replies], [1, 0, 1, None, 0, 0])
        self.assertEqual(replies[3], {"error": "invalid_attribute"})
        entries = [(row["phone"], row["customer_id"]) for row in self.rows("gsw_donotcall_list")]
        self.assertEqual(entries, [("1", None), ("9", None), (None, "c")])
