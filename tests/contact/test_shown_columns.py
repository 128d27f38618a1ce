"""Classic columns that events show under keys of the list (constants.md K64, http.md H98)."""

from typing import Any

from ocsgw.contact.directory import CallingList, Field, ShownColumn
from tests.support.rules import ENVIRONMENT, GROUP, RuleTestCase, add_record, by_handle, make_directory

_ALL = (
    "record_id", "contact_info", "contact_info_type", "record_type", "record_status", "call_result", "attempt",
    "dial_sched_time", "call_time", "daily_from", "daily_till", "tz_dbid", "campaign_id", "agent_id", "chain_id",
    "chain_n", "group_id", "app_id", "treatments", "media_ref", "email_subject", "email_template_id", "switch_id",
)  # fmt: skip


def list_with(*shown: str, fields: tuple[Field, ...] = ()) -> CallingList:
    """Return a list `CL_Shown` that shows columns under their names in capitals."""
    columns = tuple(ShownColumn(name, name.upper()) for name in shown)
    return CallingList.of(206, "CL_Shown", "CL_Shown", ENVIRONMENT, fields, shown=columns)


class ShownColumnTests(RuleTestCase):
    """What PreviewRecord and ChainedRecord show."""

    def use(self, calling_list: CallingList, *, tables: list[str] | None = None) -> None:
        self.use_directory(make_directory(lists=[calling_list]), tables=tables)

    def shown(self, event: Any) -> dict[str, Any]:
        return {key.lower(): value for key, value in event.items() if key.isupper() and not key.startswith("GSW_")}

    def test_all(self) -> None:
        """K64: numbers and texts as they are stored when the record is handed out."""
        self.use(list_with(*_ALL, fields=(Field("note", "varchar", 9, None, "Note"),)))
        self.add("123", "CL_Shown", Note="n", GSW_AGENT_ID="A")
        self.store.sql(
            "UPDATE CL_Shown SET treatments = 'x', media_ref = 4, email_subject = 'Re', email_template_id = 5,"
            " switch_id = 6"
        )
        event = self.preview()
        (row,) = self.rows("CL_Shown")
        expected = {name: value for name, value in row.items() if name in _ALL}
        self.assertEqual(self.shown(event), expected)
        self.assertEqual((expected["record_status"], expected["group_id"], expected["app_id"]), (2, GROUP, 134))
        self.assertEqual(event["Note"], "n")

    def test_null(self) -> None:
        """K64: NULL is shown as it is read; empty texts are absent."""
        self.use(list_with(*_ALL))
        self.store.sql("INSERT INTO CL_Shown (record_id, chain_id, chain_n, contact_info) VALUES (7, 7, 0, '1')")
        shown = self.shown(self.preview())
        expected = dict.fromkeys(_ALL, 0) | {"record_id": 7, "contact_info": "1", "chain_id": 7, "record_type": 2}
        expected |= {"record_status": 2, "call_result": 28, "daily_till": 86399, "group_id": GROUP, "app_id": 134}
        for name in ("agent_id", "treatments", "email_subject"):
            del expected[name]
        self.assertEqual(shown, expected)

    def test_missing_columns(self) -> None:
        """K64: a column that the table lacks is absent."""
        columns = [f"{name} integer" for name in _ALL[:16] if name not in ("contact_info", "agent_id")]
        table = f"CREATE TABLE CL_Shown (contact_info varchar(128), agent_id varchar(32), {', '.join(columns)})"
        self.use(list_with(*_ALL), tables=[table])
        self.add("1", "CL_Shown")
        self.assertEqual(set(self.shown(self.preview())), set(_ALL[:16]) - {"agent_id"})

    def test_chained_records(self) -> None:
        """K64: ChainedRecord shows them too; AddRecordAcknowledge does not."""
        self.use(list_with("email_subject", "media_ref", "group_id"))
        event = self.add("1", "CL_Shown")
        self.assertEqual(self.shown(event), {})
        self.add("2", "CL_Shown", GSW_CHAIN_ID=1)
        self.store.sql("UPDATE CL_Shown SET email_subject = 'Re', media_ref = NULL")
        handle = self.preview()["GSW_RECORD_HANDLE"]
        reply: Any = self.reply(by_handle("ChainedRecordRequest", handle))
        (chained,) = reply["GSW_CHAINED_RECORDS"]
        self.assertEqual(self.shown(chained), {"email_subject": "Re", "media_ref": 0, "group_id": GROUP})

    def test_read_only(self) -> None:
        """H98: in a request such a key is ignored, whatever its value, and is not noted as unknown."""
        self.use(list_with("email_subject", "media_ref"))
        values: tuple[Any, ...] = ("x", 5, "", {}, [], "9" * 9999)
        for value in values:
            self.reply(add_record("1", "CL_Shown", EMAIL_SUBJECT=value, MEDIA_REF=value))
            assert self.store.unit is not None
            self.assertEqual(self.store.unit.unknown_keys, set())
        self.assertEqual({row["email_subject"] for row in self.rows("CL_Shown")}, {None})
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.reply(by_handle("UpdateCallCompletionStats", handle, EMAIL_SUBJECT="x", MEDIA_REF="not a number"))
        self.assertEqual({row["email_subject"] for row in self.rows("CL_Shown")}, {None})
