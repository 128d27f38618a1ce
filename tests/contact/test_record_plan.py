"""Plans for the members of an AddRecord decide what the slow way decides, whatever the keys and values."""

from typing import Any, cast
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw import speedups
from ocsgw.contact import record_plan
from ocsgw.contact.added import Draft, answer_with, number
from ocsgw.contact.batch import Outcome
from ocsgw.contact.custom import custom_members, given_columns
from ocsgw.contact.directory import CallingList, Campaign, ShownColumn
from ocsgw.contact.fields import to_event
from ocsgw.contact.new_record import DEFAULTS, default_campaign
from ocsgw.contact.record_plan import CHAIN_ID, CUSTOM, RECORD_ID, draft_of, drafts_of
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.contact.zones import to_date_time, to_epoch
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, KVValue, encode
from ocsgw.protocol.requests import REQUESTS
from tests.support.rules import ENVIRONMENT, TYPED_FIELDS, make_directory

if speedups.is_used():
    from ocsgw.speedups.back import event_frame

_LIST = CallingList.of(
    204, "CL_Types", "CL_Types", ENVIRONMENT, TYPED_FIELDS, shown=(ShownColumn("agent_id", "Agent"),)
)
# Of no campaign, and of two.
_LONELY = CallingList.of(205, "CL_Lonely", "CL_Lonely", ENVIRONMENT, TYPED_FIELDS)
_WANTED = CallingList.of(206, "CL_Wanted", "CL_Wanted", ENVIRONMENT, ())
_CAMPAIGNS = (
    Campaign(301, "Campaign1", ENVIRONMENT, (_LIST, _WANTED)),
    Campaign(302, "Été", ENVIRONMENT, (_WANTED,)),
)
_DIRECTORY = make_directory(calling_lists=(_LIST, _LONELY, _WANTED), campaigns=_CAMPAIGNS, groups=())
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
# Members of the acknowledgement that are columns, in their order.
_SHOWN = ("GSW_PHONE", "GSW_PHONE_TYPE", "GSW_RECORD_TYPE", "GSW_RECORD_STATUS", "GSW_CALL_RESULT", "GSW_ATTEMPTS")
_SHOWN_LATER = ("GSW_FROM", "GSW_UNTIL")
_COLUMNS = DEFAULTS.__struct_fields__[:-1]
_VALUES: Any = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=12),
    st.sampled_from(["0", "1.5", "2026-01-31 09:00:00", "1e9", "x" * 11]),
)
_OTHERS: Any = st.fixed_dictionaries(
    {},
    optional={
        "GSW_TZ_NAME": st.sampled_from(["PST", "pst", "Europe/Berlin", "Nowhere", None]),
        "GSW_CAMPAIGN_NAME": st.sampled_from(["Campaign1", "Été", "E\u0301te\u0301", "Nothing", None]),
        "GSW_DATE_TIME": st.sampled_from(["3/21/2026 14:30", "01/01/1970 00:00", "13/13/2026 00:00", None]),
        "GSW_REFERENCE_ID": st.sampled_from([77, "77", "", 0, None]),
        "GSW_CHAIN_ID": st.sampled_from([5, None]),
    },
)


def _unit() -> UnitOfWork:
    return UnitOfWork(mock.Mock(), 0, _DIRECTORY, str)


def _slow_way(unit: UnitOfWork, calling_list: CallingList, data: KV) -> object:
    """Return columns, members and chain of a request, found out one by one; the text of a refusal."""
    try:
        given_ = given_columns(unit, calling_list, data)
        zone = calling_list.tenant.default_zone
        if data.get("GSW_TZ_NAME") is not None:
            zone = _DIRECTORY.zone_named(data["GSW_TZ_NAME"])
        campaign = default_campaign(_DIRECTORY, calling_list)
        if data.get("GSW_CAMPAIGN_NAME") is not None:
            campaign = _DIRECTORY.campaign_named(data["GSW_CAMPAIGN_NAME"])
            if campaign not in _DIRECTORY.campaigns_of(calling_list):
                raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
        time = 0
        if data.get("GSW_DATE_TIME") is not None:
            time = to_epoch(cast("str", data["GSW_DATE_TIME"]), zone.zone) or 1
    except Refusal as refusal:
        return refusal.text
    columns: dict[str, Any] = {each: getattr(DEFAULTS, each) for each in _COLUMNS}
    columns.update({_CLASSIC[key]: value for key, value in data.items() if key in _CLASSIC})
    columns.update(dial_sched_time=time, tz_dbid=zone.dbid, campaign_id=campaign.dbid if campaign is not None else 0)
    custom = [given_.get(field.column, field.default) for field in calling_list.fields]
    members = {
        "GSW_USER_EVENT": "AddRecordAcknowledge",
        "GSW_APPLICATION_ID": 134,
        "GSW_CALLING_LIST": calling_list.name,
        **({"GSW_CAMPAIGN_NAME": campaign.name} if campaign is not None else {}),
        **{key: columns[_CLASSIC[key]] for key in (*_SHOWN, *_SHOWN_LATER)},
        "GSW_TZ_NAME": zone.name,
        **({"GSW_DATE_TIME": to_date_time(time, zone.zone)} if time else {}),
        "GSW_CHAIN_ID": 0,
        "GSW_CHAIN_N": 0,
        **custom_members(calling_list, custom),
    }
    if data.get("GSW_REFERENCE_ID") is not None:
        members["GSW_REFERENCE_ID"] = data["GSW_REFERENCE_ID"]
    return [*columns.values(), *custom], list(members.items()), data.get("GSW_CHAIN_ID")


# Some of them in the same order of keys, some not, some for another list.
_CODES: list[KVValue] = ["a", "b", "", 7]
_ALIKE: list[KV] = [
    *[{"GSW_CALLING_LIST": "CL", "GSW_PHONE": phone, "Code": code} for phone in "123" for code in _CODES],
    {"GSW_CALLING_LIST": "CL", "Code": "a", "GSW_PHONE": "4"},
    {"GSW_CALLING_LIST": "other", "GSW_PHONE": "6", "Code": "a"},
    {"GSW_CALLING_LIST": "CL", "GSW_PHONE": "7", "Nobody knows": "x"},
    {"GSW_CALLING_LIST": "CL", "GSW_PHONE": "8", "GSW_REFERENCE_ID": 3},
    {"GSW_CALLING_LIST": "CL", "GSW_PHONE": "9", "GSW_TZ_NAME": "nowhere"},
    {"GSW_RECORD_HANDLE": 1, "GSW_PHONE": "9"},
    # More keys than are usual.
    {"GSW_CALLING_LIST": "CL", "Code": "a", **{f"Unknown {number}": "x" for number in range(70)}},
]


def _planned(unit: UnitOfWork, calling_list: CallingList, data: KV) -> object:
    try:
        draft = draft_of(unit, calling_list, 0, data)
    except Refusal as refusal:
        return refusal.text
    return draft.row, list(draft.event.items()), draft.chain


class PlanTests(SynchronousTestCase):
    """The short way and the slow way side by side."""

    def assert_same(self, calling_list: CallingList, data: KV) -> None:
        """Assert that both ways give the same columns, members and notes, or the same refusal."""
        slow, planned = _unit(), _unit()
        expected = _slow_way(slow, calling_list, data)
        self.assertEqual(_planned(planned, calling_list, data), expected)
        with mock.patch.object(record_plan, "_fill", record_plan._fill_slowly):
            self.assertEqual(_planned(_unit(), calling_list, data), expected)
        if not isinstance(expected, str):
            self.assertEqual(planned.unknown_keys, slow.unknown_keys)

    @given(
        st.lists(st.dictionaries(st.sampled_from(_KEYS), _VALUES), max_size=4),
        st.sampled_from([_LIST, _LONELY, _WANTED]),
    )
    def test_custom_members(self, requests: list[KV], calling_list: CallingList) -> None:
        """Values, refusals and unknown keys are the same; a plan that is used again is not changed by its use."""
        for data in requests:
            self.assert_same(calling_list, data)

    @given(
        st.dictionaries(st.sampled_from(sorted(_CLASSIC)), st.integers(0, 9) | st.text(max_size=5)),
        _OTHERS,
        st.sampled_from([_LIST, _LONELY, _WANTED]),
    )
    def test_attributes(self, classic: KV, others: KV, calling_list: CallingList) -> None:
        """An attribute goes where its column is; what is not given has its default, the next time too."""
        for data in ({**classic, **others}, {**others, **classic}, {}):
            self.assert_same(calling_list, data)

    @given(st.lists(st.sampled_from(_ALIKE), max_size=8), st.sampled_from([_LIST, _LONELY, _WANTED]))
    def test_together(self, sent: list[KV], calling_list: CallingList) -> None:
        """Records of requests that are alike are the same as one by one, and a request is never taken for another."""
        requests = [PendingRequest(REQUESTS["AddRecord"], data) for data in sent]
        unit, alone, at = _unit(), _unit(), 0
        while at < len(requests):
            try:
                made = drafts_of(unit, calling_list, requests, at)
            except Refusal as refusal:
                self.assertEqual(_planned(alone, calling_list, sent[at]), refusal.text)
                at += 1
                continue
            number(made, 40, 50, RECORD_ID, CHAIN_ID)
            for place, draft in enumerate(made, 1):
                self.assertEqual((draft.at, draft.row[RECORD_ID], draft.row[CHAIN_ID]), (at, 40 + place, 50 + place))
                self.assert_same_answer(draft)
                draft.row[RECORD_ID] = draft.row[CHAIN_ID] = draft.event["GSW_CHAIN_ID"] = 0
                self.assertEqual(
                    (draft.row, list(draft.event.items()), draft.chain), _planned(alone, calling_list, sent[at])
                )
                at += 1
        self.assertEqual(unit.unknown_keys, alone.unknown_keys)

    def assert_same_answer(self, draft: Draft) -> None:
        """Assert that what is written from a row is what is written from the event, or that somebody else has to."""
        replies: list[Any] = [None] * (draft.at + 1)
        answer_with([draft], replies)
        written = event_frame(7, replies[-1], 1 << 20) if speedups.is_used() else None
        event = Outcome(replies[-1]).reply
        assert isinstance(event, dict)
        self.assertEqual((event["GSW_CHAIN_ID"], event), (draft.row[CHAIN_ID], draft.event))
        if speedups.is_used():
            self.assertEqual(written, event_frame(7, event, 1 << 20))
            self.assertTrue(written is None or written == encode(Event(ref=7, data=event)))

    def test_values_of_fields(self) -> None:
        """What is shown of a custom column is what was stored, in the form of its type."""
        draft = draft_of(_unit(), _LIST, 0, {"Amount": "1.50", "Level": "7", "Due": "3/21/2026 14:30", "Code": ""})
        self.assertEqual(draft.row[CUSTOM:], [None, 1.5, None, None, "2026-03-21 14:30:00", 7, "secret"])
        self.assertEqual(
            [draft.event.get(key) for key in ("Amount", "Level", "Due")], ["1.5", 7, "2026-03-21 14:30:00"]
        )
        self.assertNotIn("Code", draft.event)

    @given(st.lists(_VALUES | st.floats(), min_size=len(TYPED_FIELDS), max_size=len(TYPED_FIELDS)))
    def test_members(self, stored: list[Any]) -> None:
        """What is shown is what `to_event` says of each field that travels."""
        expected = {
            field.key: to_event(field.kind, value)
            for field, value in zip(_LIST.fields, stored, strict=True)
            if field.key is not None and value is not None and to_event(field.kind, value) is not None
        }
        self.assertEqual(custom_members(_LIST, stored), expected)
