"""Plans for custom members decide what the slow way decides, whatever the keys and values."""

from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.custom import custom_members, given_columns
from ocsgw.contact.directory import CallingList, ShownColumn
from ocsgw.contact.fields import to_event
from ocsgw.contact.new_record import DEFAULTS
from ocsgw.contact.record_plan import add_custom_members, new_record
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from tests.support.rules import ENVIRONMENT, TYPED_FIELDS

_LIST = CallingList.of(
    204, "CL_Types", "CL_Types", ENVIRONMENT, TYPED_FIELDS, shown=(ShownColumn("agent_id", "Agent"),)
)
_KEYS = [*(field.key for field in TYPED_FIELDS if field.key), "hidden", "Agent", "Nonsense", "GSW_PHONE", "GSW_X", ""]
# What is stored as it is given (http.md 10.1).
_CLASSIC = {
    "GSW_PHONE": "contact_info",
    "GSW_PHONE_TYPE": "contact_info_type",
    "GSW_RECORD_TYPE": "record_type",
    "GSW_RECORD_STATUS": "record_status",
    "GSW_CALL_RESULT": "call_result",
    "GSW_ATTEMPTS": "attempt",
    "GSW_CALL_TIME": "call_time",
    "GSW_FROM": "daily_from",
    "GSW_UNTIL": "daily_till",
    "GSW_AGENT_ID": "agent_id",
}
_DEFAULTS: dict[str, Any] = {each: getattr(DEFAULTS, each) for each in DEFAULTS.__struct_fields__ if each != "custom"}
_VALUES: Any = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=12),
    st.sampled_from(["0", "1.5", "2026-01-31 09:00:00", "1e9", "x" * 11]),
)


def _unit() -> UnitOfWork:
    return UnitOfWork(mock.Mock(), 0, mock.Mock(), str)


def _slow_way(unit: UnitOfWork, data: KV) -> object:
    try:
        found = given_columns(unit, _LIST, data)
    except Refusal as refusal:
        return refusal.text
    return [found.get(field.column, field.default) for field in _LIST.fields]


def _planned(unit: UnitOfWork, data: KV) -> object:
    try:
        return new_record(unit, _LIST, data).custom
    except Refusal as refusal:
        return refusal.text


class PlanTests(SynchronousTestCase):
    """The short way and the slow way side by side."""

    @given(st.lists(st.dictionaries(st.sampled_from(_KEYS), _VALUES), max_size=4))
    def test_columns(self, requests: list[KV]) -> None:
        """Values, refusals and unknown keys are the same; a plan that is used again is not changed by its use."""
        for data in requests:
            slow, planned = _unit(), _unit()
            expected = _slow_way(slow, data)
            self.assertEqual(_planned(planned, data), expected)
            if isinstance(expected, list):
                self.assertEqual(planned.unknown_keys, slow.unknown_keys)

    @given(st.dictionaries(st.sampled_from(sorted(_CLASSIC)), st.integers(0, 9) | st.text(max_size=5)))
    def test_classic_columns(self, data: KV) -> None:
        """An attribute goes where its column is; what is not given has its default, the next time too."""
        columns = {_CLASSIC[key]: value for key, value in data.items()}
        for members, expected in ((data, {**_DEFAULTS, **columns}), ({}, _DEFAULTS)):
            record = new_record(_unit(), _LIST, members)
            self.assertEqual({each: getattr(record, each) for each in _DEFAULTS}, expected)

    @given(st.lists(_VALUES | st.floats(), min_size=len(TYPED_FIELDS), max_size=len(TYPED_FIELDS)))
    def test_members(self, stored: list[Any]) -> None:
        """What is shown is what `to_event` says of each field that travels."""
        event: KV = {"GSW_USER_EVENT": "X"}
        add_custom_members(event, _LIST, stored)
        expected = {
            field.key: to_event(field.kind, value)
            for field, value in zip(_LIST.fields, stored, strict=True)
            if field.key is not None and value is not None and to_event(field.kind, value) is not None
        }
        self.assertEqual(event, {"GSW_USER_EVENT": "X", **expected})
        self.assertEqual(custom_members(_LIST, stored), expected)
