"""Key-values of desktops and third-party applications (protocol.md sections 2 and 3)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.attributes import CONVERTERS
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.key_values import checked
from ocsgw.protocol.requests import REQUESTS

_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=5),
    st.sampled_from(["1", "Consult", "Personal", "11/28/2036 09:30", "a\0b", ""]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
_KEYS = st.one_of(st.sampled_from(sorted(CONVERTERS)), st.text(max_size=6), st.just("GSW_NONSENSE"))


def outcome(name: str, /, **data: Any) -> Any:
    """Return what is taken of a request without its name, or the code and key of the refusal."""
    try:
        taken = checked(REQUESTS[name], {"GSW_AGENT_REQ_TYPE": name, **data})
    except Refusal as refusal:
        return f"{refusal.code} {refusal.text.rpartition(' ')[2]}"
    return {key: value for key, value in taken.items() if key != "GSW_AGENT_REQ_TYPE"}


class KeyValueTests(SynchronousTestCase):
    """What is taken, and what is refused."""

    def test_table(self) -> None:
        """P6, P7, P10, P11: identifiers, conversions, and what is left out."""
        processed, cancel, preview = "RecordProcessed", "RequestRecordCancel", "PreviewRecordRequest"
        handle, phone, customer, group = "GSW_RECORD_HANDLE", "GSW_PHONE", "GSW_CUSTOMER_ID", "GSW_CAMPAIGN_GROUP_DBID"
        rows: list[tuple[str, dict[str, Any], Any]] = [
            (processed, {handle: "15", "GSW_CALL_RESULT": "Busy"}, {handle: 15, "GSW_CALL_RESULT": 6}),
            (processed, {handle: 15, "GSW_X": 1, "note": "x"}, {handle: 15, "note": "x"}),
            (processed, {handle: True}, {handle: 1}),
            (processed, {handle: 0}, "invalid_handle handle"),
            (processed, {handle: 2**53}, "invalid_handle handle"),
            (processed, {}, "missing_attribute GSW_RECORD_HANDLE"),
            (processed, {handle: ""}, "missing_attribute GSW_RECORD_HANDLE"),
            # Of several identifiers the first one counts; the others are no attributes of a cancel.
            (cancel, {handle: 1, phone: "2", customer: "3"}, {handle: 1}),
            (cancel, {phone: " 2 ", customer: "3"}, {phone: "2"}),
            (cancel, {customer: "3"}, {customer: "3"}),
            ("DoNotCall", {handle: 1, phone: "2"}, {handle: 1, phone: "2"}),
            (cancel, {"x": "y", phone: "2"}, {phone: "2"}),
            (preview, {group: "102"}, {group: 102}),
            (preview, {"GSW_CAMPAIGN_NAME": "C", "GSW_AGENT_ID": "1"}, {"GSW_CAMPAIGN_NAME": "C", "GSW_AGENT_ID": "1"}),
            (preview, {group: "x"}, "group_not_found found"),
            (preview, {}, "missing_attribute GSW_CAMPAIGN_GROUP_DBID"),
            ("CampaignStatusRequest", {}, {}),
            ("CampaignStatusRequest", {"GSW_CAMPAIGN_NAME": "C"}, {"GSW_CAMPAIGN_NAME": "C"}),
            (
                "AddRecord",
                {"GSW_CALLING_LIST": "L", phone: "1", "c": True},
                {"GSW_CALLING_LIST": "L", phone: "1", "c": 1},
            ),
            ("AddRecord", {handle: 4, phone: "1", "c": 2}, {handle: 4, phone: "1", "c": 2}),
            ("AddRecord", {phone: "1"}, "missing_attribute GSW_CALLING_LIST"),
            ("AddRecord", {"GSW_CALLING_LIST": "L", phone: "1", "c": "\0"}, "invalid_attribute c"),
            # Missing comes before wrong.
            ("RecordShare", {handle: 4, "GSW_SHARE_MODE": 5}, "invalid_attribute GSW_SHARE_MODE"),
            ("RecordShare", {handle: 4, "GSW_SHARE_MODE": "consult"}, "missing_attribute GSW_AGENT_ID"),
            ("RecordShare", {handle: 4, "GSW_SHARE_MODE": "release"}, {handle: 4, "GSW_SHARE_MODE": "Release"}),
            ("SetDialingMode", {group: 1}, "missing_attribute GSW_CAMPAIGN_MODE"),
            ("StartDialing", {group: 1, "GSW_AUTO_COMPLETION": 2}, "invalid_attribute GSW_AUTO_COMPLETION"),
            ("StartDialing", {group: 1, "GSW_AUTO_COMPLETION": "1"}, {group: 1, "GSW_AUTO_COMPLETION": 1}),
        ]
        for name, data, expected in rows:
            self.assertEqual(outcome(name, **data), expected, f"{name} {data}")

    def test_data_is_left_alone(self) -> None:
        """The message of the client is not changed: what it says goes into errors and traces."""
        data: dict[str, Any] = {"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": "15"}
        checked(REQUESTS["RecordProcessed"], data)
        self.assertEqual(data["GSW_RECORD_HANDLE"], "15")

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(sorted(REQUESTS)), st.dictionaries(_KEYS, _VALUES, max_size=8))
    def test_anything(self, name: str, data: dict[str, Any]) -> None:
        """Whatever a client sends is taken or refused; what is taken has the types that rules expect."""
        result = outcome(name, **{key: value for key, value in data.items() if key != "GSW_AGENT_REQ_TYPE"})
        if isinstance(result, dict):
            for key, value in result.items():
                if key in CONVERTERS:
                    self.assertIn(type(value), (int, str), key)
