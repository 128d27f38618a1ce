"""JSON members to key-values and back (http.md sections 3, 6 and 10, protocol.md section 2.2)."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue, Request, decode, payload_of
from ocsgw.protocol.requests import COMMON_ATTRIBUTES, REQUESTS
from ocsgw.proxy.policy.target import parse_target
from ocsgw.proxy.translation.jsonbody import read_utf8
from ocsgw.proxy.translation.translate import reference_of, to_key_values, to_members
from tests.support.case import ClockTestCase

ADD = "/lists/CL?req=AddRecord"
PROCESSED = "/records/15?req=RecordProcessed"
UPDATE = "/records/15?req=UpdateCallCompletionStats"
RESCHEDULE = "/records/15?req=RecordReschedule"
SCHEDULED = "/records/15?req=ScheduledRecordReschedule"
REJECT = "/records/15?req=RecordReject"
CANCEL = "/records/15?req=RequestRecordCancel"
CANCEL_PHONE = "/phones/3001?req=RequestRecordCancel"
CANCEL_CUSTOMER = "/customer_ids/C-1?req=RequestRecordCancel"
DNC = "/records/15?req=DoNotCall"
DNC_PHONE = "/phones/3001?req=DoNotCall"
DNC_CUSTOMER = "/customer_ids/C-1?req=DoNotCall"
CHAINED = "/records/15?req=ChainedRecordRequest"
PREVIEW = "/campaigngroups/102?req=PreviewRecordRequest"
STATUS = "/campaigngroups/102?req=CampaignStatusRequest"
EVERY = (
    ADD, PROCESSED, UPDATE, RESCHEDULE, SCHEDULED, REJECT, CANCEL, CANCEL_PHONE, CANCEL_CUSTOMER, DNC, DNC_PHONE,
    DNC_CUSTOMER,
    CHAINED, PREVIEW, STATUS,
)  # fmt: skip

# A value of every JSON type.
ANYTHING: tuple[object, ...] = ("x", 1, None, {"a": [1]}, [], True, 1.5)

# What an action cannot do without.
NEEDED = {
    ADD: {"GSW_PHONE": "1"},
    RESCHEDULE: {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"},
    SCHEDULED: {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "12/24/2026 09:05"},
}


def translated(target: str, body: str | bytes) -> KV | str:
    """Return the key-values of a request, or the text of its refusal."""
    raw = body if isinstance(body, bytes) else body.encode()
    try:
        return to_key_values(parse_target(target.encode(), None), read_utf8(raw, 32, 1000))
    except Refusal as refusal:
        return refusal.text


def with_members(target: str, **members: object) -> KV | str:
    """Return the key-values of a request that has what it needs, and these members."""
    return translated(target, json.dumps({**NEEDED.get(target, {}), **members}))


def invalid(key: str) -> str:
    return f"Invalid value of attribute {key}"


class TargetKeyTests(ClockTestCase):
    """protocol.md section 2.2: what the target becomes."""

    def test_names_of_targets(self) -> None:
        """P12 and section 2.2: the action in canonical spelling and the key of the identifier, nothing else."""

        rows: list[tuple[str, KV]] = [
            (PROCESSED, {"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": 15}),
            (
                "/RECORDS/9007199254740991?req=recordREJECT",
                {"GSW_AGENT_REQ_TYPE": "RecordReject", "GSW_RECORD_HANDLE": 2**53 - 1},
            ),
            (
                "/phones/+16505550100?req=RecordCancel",
                {"GSW_AGENT_REQ_TYPE": "RequestRecordCancel", "GSW_PHONE": "+16505550100"},
            ),
            (
                "/phones/jane%40example.org?req=DoNotCall",
                {"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": "jane@example.org"},
            ),
            (
                "/customerids/C-4711?req=recordcancel",
                {"GSW_AGENT_REQ_TYPE": "RequestRecordCancel", "GSW_CUSTOMER_ID": "C-4711"},
            ),
            (
                "/campaign_groups/102?req=PreviewRecord",
                {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102},
            ),
            (STATUS, {"GSW_AGENT_REQ_TYPE": "CampaignStatusRequest", "GSW_CAMPAIGN_GROUP_DBID": 102}),
        ]
        for target, expected in rows:
            self.assertEqual(translated(target, b""), expected)
            self.assertEqual(translated(target, b"{}"), expected)

    def test_list_names(self) -> None:
        """H60: list names cross in normalization form C; P12."""
        expected = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "Liste été", "GSW_PHONE": "1"}
        for name in ("Liste%20%C3%A9t%C3%A9", "Liste%20e%CC%81te%CC%81"):
            self.assertEqual(translated(f"/lists/{name}?req=AddRecord", '{"GSW_PHONE":"1"}'), expected)

    def test_shape_of_handles(self) -> None:
        """H40, H59: what is no handle is 404, on every action."""
        for text in ("0", "015", "+15", "-1", "1.0", "1e3", "9007199254740992", "99999999999999999", "a", "%201", "١٥",
                     "%D9%A1", "15%20", "1_5", "0x1", "."):  # fmt: skip
            for action in ("RecordProcessed", "ChainedRecordRequest"):
                self.assertEqual(translated(f"/records/{text}?req={action}", "{}"), "Invalid record handle", text)

    def test_shape_of_groups(self) -> None:
        """H44, H59: what is no DBID is `Campaign group not found`."""
        for text in ("0", "0102", "-1", "1.0", "12345678901", "x", "%D9%A1", "102%20"):
            self.assertEqual(
                translated(f"/campaigngroups/{text}?req=CampaignStatusRequest", "{}"), "Campaign group not found"
            )
        self.assertIsInstance(translated("/campaigngroups/9999999999?req=CampaignStatusRequest", "{}"), dict)

    def test_length_of_identifiers(self) -> None:
        """H41, H42, H61: 128 and 255 characters are taken, one more is an invalid value of the key."""
        for resource, key, longest in (("phones", "GSW_PHONE", 128), ("customer_ids", "GSW_CUSTOMER_ID", 255)):
            for character, escaped in (("x", "x"), ("é", "%C3%A9"), ("😀", "%F0%9F%98%80")):
                target = f"/{resource}/{{}}?req=RequestRecordCancel"
                got = translated(target.format(escaped * longest), "{}")
                self.assertEqual(got, {"GSW_AGENT_REQ_TYPE": "RequestRecordCancel", key: character * longest})
                self.assertEqual(translated(target.format(escaped * (longest + 1)), "{}"), invalid(key))
            self.assertEqual(translated(f"/{resource}/%20%20?req=RequestRecordCancel", "{}"), invalid(key))

    def test_any_text_is_an_identifier(self) -> None:
        """H41, H42, H53: slashes, dots, quotes, SQL and other scripts are ordinary text."""
        for text in (
            "a/b",
            "..",
            ".",
            "../../etc/passwd",
            "'; DROP TABLE x; --",
            '"',
            "100%",
            "a?b#c",
            "号码",
            "a&b=c",
            "+",
        ):
            escaped = "".join(f"%{byte:02X}" for byte in text.encode())
            self.assertEqual(
                translated(f"/phones/{escaped}?req=DoNotCall", "{}"),
                {"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": text},
            )

    def test_target_without_an_action(self) -> None:
        """Section 4: translation is asked only for targets that name an action."""
        for target in (b"/nowhere/1?req=AddRecord", b"/lists/x"):
            self.assertRaises(ValueError, to_key_values, parse_target(target, None), {})


class MemberTests(ClockTestCase):
    """H93 to H103 and the conversion of known attributes."""

    def test_attributes_cross(self) -> None:
        """H95, H110 to H114: known attributes cross, converted; null and empty ones do not."""
        got = with_members(
            ADD,
            GSW_PHONE_TYPE="4",
            GSW_RECORD_TYPE="general",
            GSW_CALL_RESULT=True,
            GSW_ATTEMPTS=3,
            GSW_AGENT_ID=77,
            GSW_FROM="",
            GSW_UNTIL=None,
            GSW_TZ_NAME="",
        )
        self.assertEqual(
            got,
            {
                "GSW_AGENT_REQ_TYPE": "AddRecord",
                "GSW_CALLING_LIST": "CL",
                "GSW_PHONE": "1",
                "GSW_PHONE_TYPE": 4,
                "GSW_RECORD_TYPE": 2,
                "GSW_CALL_RESULT": 1,
                "GSW_ATTEMPTS": 3,
                "GSW_AGENT_ID": "77",
            },
        )

    def test_every_attribute_of_every_action(self) -> None:
        """Section 10: each key of an action's table crosses with the value of its converter, and refuses an object."""
        values: dict[str, object] = {
            "GSW_DATE_TIME": "12/24/2026 09:05", "GSW_CALLBACK_TYPE": "personal", "GSW_CHAIN_ATTR": "allchain",
            "GSW_TREATMENT": "RecordTreatPersonal", "GSW_CALLING_LIST": "CL", "GSW_PHONE": "3001",
            "GSW_CUSTOMER_ID": "C-1",
        }  # fmt: skip
        for target in EVERY:
            parsed = parse_target(target.encode(), None)
            assert parsed.request is not None
            assert parsed.resource is not None
            for each in (*COMMON_ATTRIBUTES, *parsed.request.attributes[parsed.resource]):
                value = values.get(each.key, "1")
                got = with_members(target, **{each.key: value})
                assert isinstance(got, dict), (target, each.key, got)
                self.assertEqual(got[each.key], each.convert(each.key, value))
                refused = with_members(target, **{each.key: {"a": 1}})
                if parsed.resource == "records" and each.key in (
                    "GSW_CAMPAIGN_NAME",
                    "GSW_CALLING_LIST",
                    "GSW_CHAIN_ID",
                ):
                    self.assertIsInstance(refused, dict, "H103")
                else:
                    self.assertEqual(refused, invalid(each.key), f"{target} {each.key}")

    def test_unknown_gsw_members_are_ignored(self) -> None:
        """H95: a GSW_ member that the action does not know is ignored, whatever its value; names are case-sensitive."""
        for target in EVERY:
            plain = with_members(target)
            for name in ("GSW_", "GSW_X", "GSW_PHONE2", "GSW_phone", "GSW_RECORD_URI", "GSW_USER_EVENT"):
                for value in ANYTHING:
                    self.assertEqual(with_members(target, **{name: value}), plain, f"{target} {name}")

    def test_case_of_names(self) -> None:
        """H94: a name in another case is another name: a custom member, as it does not begin with GSW_."""
        self.assertEqual(with_members(ADD, gsw_phone="2"), {**_dict(with_members(ADD)), "gsw_phone": "2"})

    def test_custom_members(self) -> None:
        """H96, H97, H113, H120: custom members cross as what a column may take."""
        for target in (ADD, PROCESSED, UPDATE, RESCHEDULE, SCHEDULED, DNC):
            plain = _dict(with_members(target))
            for raw, expected in (
                ('"x"', "x"),
                ('""', ""),
                ("5", 5),
                ("-0", 0),
                (str(2**63 - 1), 2**63 - 1),
                (str(-(2**63)), -(2**63)),
                (str(2**63), str(2**63)),
                (str(-(2**63) - 1), str(-(2**63) - 1)),
                ("1" * 5000, "1" * 5000),
                ("1.50", "1.50"),
                ("1e400", "1e400"),
                ("true", 1),
                ("false", 0),
                ('{"a":[1]}', {}),
                ('[1,"x"]', []),
            ):
                body = (
                    json.dumps(NEEDED.get(target, {}))[:-1] + ("," if target in NEEDED else "") + f'"Segment":{raw}}}'
                )
                got = _dict(translated(target, body))
                self.assertEqual(got, {**plain, "Segment": expected}, f"{target} {raw}")
                self.assertIs(type(got["Segment"]), type(expected))
                # What crosses is a message of the wire protocol.
                self.assertEqual(decode(payload_of(Request(ref=1, data=got))), Request(ref=1, data=got))
            self.assertEqual(with_members(target, Segment=None), plain, "H120: null leaves the column as it is")

    def test_custom_members_where_none_are_taken(self) -> None:
        """Section 10: an action without custom members ignores them."""
        for target in (
            REJECT,
            CANCEL,
            CANCEL_PHONE,
            CANCEL_CUSTOMER,
            DNC_PHONE,
            DNC_CUSTOMER,
            CHAINED,
            PREVIEW,
            STATUS,
        ):
            for value in ("x", 1, [1]):
                self.assertEqual(with_members(target, Segment=value), with_members(target))

    def test_strings_that_are_no_text(self) -> None:
        """H116, H117: refused by their name wherever they stand, also where the member would be ignored."""
        for target in EVERY:
            needed = json.dumps(NEEDED.get(target, {}))[:-1] + ("," if target in NEEDED else "")
            for name in (
                "GSW_REFERENCE_ID",
                "GSW_APPLICATION_ID",
                "GSW_X",
                "Segment",
                "GSW_AGENT_REQ_TYPE",
                "GSW_CHAIN_ID",
            ):
                for value in (r'"\ud800"', r'"\u0000"', r'["\udc00"]', r'{"a":{"b":"\ud800x"}}'):
                    got = translated(target, f'{needed}"{name}":{value}}}')
                    self.assertEqual(got, invalid(name), f"{target} {name}")

    def test_last_of_equal_names(self) -> None:
        """H93: the last one wins, also over a wrong or missing value."""
        self.assertEqual(
            translated(PROCESSED, '{"GSW_CALL_RESULT":"bad","GSW_CALL_RESULT":33}'),
            {"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": 15, "GSW_CALL_RESULT": 33},
        )
        self.assertEqual(translated(ADD, '{"GSW_PHONE":"1","GSW_PHONE":null}'), "Missing attribute GSW_PHONE")

    def test_request_type_in_the_body(self) -> None:
        """H99: it must name the same action; aliases count as the same, in any case; empty and null as absent."""
        for target, value, good in (
            (PROCESSED, "RecordProcessed", True),
            (PROCESSED, "recordprocessed", True),
            (PROCESSED, "", True),
            (PROCESSED, None, True),
            (PROCESSED, "RecordReject", False),
            (PROCESSED, "Nonsense", False),
            (PROCESSED, "ReadyTime", False),
            (PROCESSED, 1, False),
            (PROCESSED, False, False),
            (PROCESSED, [], False),
            (CANCEL, "RecordCancel", True),
            ("/records/15?req=RecordCancel", "RequestRecordCancel", True),
            (PREVIEW, "PreviewRecord", True),
        ):
            got = with_members(target, GSW_AGENT_REQ_TYPE=value)
            if good:
                self.assertEqual(got, with_members(target), f"{target} {value!r}")
            else:
                self.assertEqual(got, invalid("GSW_AGENT_REQ_TYPE"), f"{target} {value!r}")

    def test_repeated_identifiers(self) -> None:
        """H100: the key of the identifier must agree if present; empty and null are as if absent."""
        rows: tuple[tuple[str, str, tuple[object, ...], tuple[object, ...]], ...] = (
            (PROCESSED, "GSW_RECORD_HANDLE", (15, "15", "015", "", None), (16, "x", 15.0, [15], {}, True, "١٥")),
            (CANCEL_PHONE, "GSW_PHONE", ("3001", 3001, " 3001 ", "", None), ("3002", 3002, [], False, "300 1")),
            (CANCEL_CUSTOMER, "GSW_CUSTOMER_ID", ("C-1", " C-1", "", None), ("c-1", "C1", 1, {})),
            (ADD, "GSW_CALLING_LIST", ("CL", "", None), ("cl", "CL ", 0, [])),
            (PREVIEW, "GSW_CAMPAIGN_GROUP_DBID", (102, "102", "", None), (103, "Campaign1@Group1", 102.5)),
        )
        for target, key, same, other in rows:
            for value in same:
                self.assertEqual(with_members(target, **{key: value}), with_members(target), f"{target} {value!r}")
            for value in other:
                self.assertEqual(with_members(target, **{key: value}), invalid(key), f"{target} {value!r}")

    def test_repeated_identifiers_in_other_forms(self) -> None:
        """H60, H100, K42: lists and contacts agree in form C, customer ids only if they are equal."""
        for resource, key, agrees in (
            ("phones", "GSW_PHONE", True),
            ("customer_ids", "GSW_CUSTOMER_ID", False),
        ):
            got = translated(f"/{resource}/e%CC%81?req=RequestRecordCancel", json.dumps({key: "é"}))
            self.assertEqual(isinstance(got, dict), agrees, resource)
        got = translated("/lists/e%CC%81?req=AddRecord", json.dumps({"GSW_PHONE": "1", "GSW_CALLING_LIST": "e\u0301"}))
        self.assertIsInstance(got, dict)

    def test_phone_on_records(self) -> None:
        """H100, P10: GSW_PHONE on records is an attribute of its own."""
        self.assertEqual(_dict(with_members(DNC, GSW_PHONE="3001"))["GSW_PHONE"], "3001")

    def test_keys_of_other_targets(self) -> None:
        """H101: on phones and customer_ids the keys of other targets are refused, unless they are empty."""
        for target, keys in (
            (CANCEL_PHONE, ("GSW_RECORD_HANDLE", "GSW_CUSTOMER_ID")),
            (DNC_PHONE, ("GSW_RECORD_HANDLE", "GSW_CUSTOMER_ID")),
            (CANCEL_CUSTOMER, ("GSW_RECORD_HANDLE", "GSW_PHONE")),
            (DNC_CUSTOMER, ("GSW_RECORD_HANDLE", "GSW_PHONE")),
        ):
            for key in keys:
                for other in ANYTHING:
                    if other is not None:
                        self.assertEqual(with_members(target, **{key: other}), invalid(key))
                for empty in ("", None):
                    self.assertEqual(with_members(target, **{key: empty}), with_members(target))


def _dict(got: KV | str) -> KV:
    if isinstance(got, str):
        raise TypeError(got)
    return got


class OrderTests(ClockTestCase):
    """Section 4, checks 11 and 12: the first fault is reported, whatever the order of the members."""

    def test_order(self) -> None:
        """Check 11, H61, H99, H100, H101, then attributes: missing before wrong, in the order of the tables."""
        faults = {
            "GSW_AGENT_REQ_TYPE": "Nonsense",
            "GSW_CALLING_LIST": "other",
            "GSW_REFERENCE_ID": [],
            "GSW_APPLICATION_ID": {},
            "GSW_PHONE": {},
            "GSW_PHONE_TYPE": 99,
            "GSW_RECORD_TYPE": 0,
            "GSW_RECORD_STATUS": 2,
            "GSW_CALL_RESULT": 54,
            "GSW_ATTEMPTS": -1,
            "GSW_DATE_TIME": "now",
            "GSW_CALL_TIME": -1,
            "GSW_FROM": 86401,
            "GSW_UNTIL": 86401,
            "GSW_TZ_NAME": [],
            "GSW_CAMPAIGN_NAME": [],
            "GSW_AGENT_ID": "x" * 33,
            "GSW_CHAIN_ID": "x",
        }
        names = list(faults)
        for first, name in enumerate(names):
            left = {key: faults[key] for key in names[first:]}
            if "GSW_PHONE" not in left:
                left = {"GSW_PHONE": "1", **left}
            expected = "Invalid date or time" if name == "GSW_DATE_TIME" else invalid(name)
            for members in (left, dict(reversed(left.items()))):
                self.assertEqual(translated(ADD, json.dumps(members)), expected)

    def test_missing_before_wrong(self) -> None:
        """Check 12: a missing attribute is reported before a wrong one; of several the first of the table."""
        wrong = {"GSW_REFERENCE_ID": [], "GSW_PHONE_TYPE": 99}
        self.assertEqual(translated(ADD, json.dumps(wrong)), "Missing attribute GSW_PHONE")
        dated = {**wrong, "GSW_PHONE": "1", "GSW_RECORD_TYPE": 5}
        self.assertEqual(translated(ADD, json.dumps(dated)), "Missing attribute GSW_DATE_TIME")
        self.assertEqual(translated(ADD, json.dumps({**dated, "GSW_PHONE": ""})), "Missing attribute GSW_PHONE")
        self.assertEqual(translated(RESCHEDULE, json.dumps(wrong)), "Missing attribute GSW_CALLBACK_TYPE")
        self.assertEqual(
            translated(RESCHEDULE, json.dumps({**wrong, "GSW_CALLBACK_TYPE": "x"})), "Missing attribute GSW_DATE_TIME"
        )

    def test_missing(self) -> None:
        """Section 8: absent, null and empty are missing; blanks alone are wrong."""
        for body in ("{}", "", '{"GSW_PHONE":null}', '{"GSW_PHONE":""}'):
            self.assertEqual(translated(ADD, body), "Missing attribute GSW_PHONE")
        self.assertEqual(translated(ADD, '{"GSW_PHONE":"  "}'), invalid("GSW_PHONE"))

    def test_date_is_mandatory_for_some_types(self) -> None:
        """Section 10.1: by number, text or name, types 3 to 6 need GSW_DATE_TIME."""
        for kind in (3, "4", "PersonalCallBack", 6):
            self.assertEqual(with_members(ADD, GSW_RECORD_TYPE=kind), "Missing attribute GSW_DATE_TIME")
            for empty in (None, ""):
                got = with_members(ADD, GSW_RECORD_TYPE=kind, GSW_DATE_TIME=empty)
                self.assertEqual(got, "Missing attribute GSW_DATE_TIME")
            self.assertIsInstance(with_members(ADD, GSW_RECORD_TYPE=kind, GSW_DATE_TIME="1/1/2026 1:00"), dict)
        for kind in (1, 2, 7):
            self.assertIsInstance(with_members(ADD, GSW_RECORD_TYPE=kind), dict)

    def test_identifier_before_members(self) -> None:
        """Checks 11 and 12: the identifier of the target is judged before the members."""
        bad = '{"GSW_REFERENCE_ID":[],"GSW_AGENT_REQ_TYPE":"x","Segment":"\\ud800"}'
        self.assertEqual(translated("/records/0?req=RecordProcessed", bad), "Invalid record handle")
        self.assertEqual(translated("/campaigngroups/0?req=PreviewRecord", bad), "Campaign group not found")
        self.assertEqual(translated(f"/phones/{'1' * 129}?req=DoNotCall", bad), invalid("GSW_PHONE"))

    def test_strings_that_are_no_text_come_last(self) -> None:
        """H116: the shape of known attributes is judged before members that nobody knows."""
        self.assertEqual(
            translated(PROCESSED, r'{"Segment":"\ud800","GSW_CALL_RESULT":99}'), invalid("GSW_CALL_RESULT")
        )
        self.assertEqual(translated(ADD, r'{"Segment":"\ud800"}'), "Missing attribute GSW_PHONE")

    def test_keys_of_the_client_are_cut(self) -> None:
        """R55: a member name in an error is cut to 64 characters, without control characters."""
        name = "x\x01" * 100
        self.assertEqual(translated(PROCESSED, json.dumps({name: "\ud800"})), invalid("x" * 64))


class ReferenceTests(ClockTestCase):
    """H145 as far as translation does it."""

    def test_reference(self) -> None:
        """H145: the id crosses with its type; an invalid one is refused and is not returned."""
        for value in ("", "x", "77", 77, -1, 0):
            got = _dict(with_members(STATUS, GSW_REFERENCE_ID=value))["GSW_REFERENCE_ID"]
            self.assertEqual((got, type(got)), (value, type(value)))
            self.assertEqual(reference_of({"GSW_REFERENCE_ID": value}), value)
        refused: tuple[object, ...] = (True, 1.5, [], "x" * 256, 2**63)
        for bad in refused:
            self.assertEqual(with_members(STATUS, GSW_REFERENCE_ID=bad), invalid("GSW_REFERENCE_ID"))
            self.assertIsNone(reference_of({"GSW_REFERENCE_ID": bad}))
        self.assertIsNone(reference_of({}))
        self.assertIsNone(reference_of({"GSW_REFERENCE_ID": None}))


class AnswerMemberTests(ClockTestCase):
    """Events to JSON: H121, H146, H291."""

    def test_order_and_nothing_lost(self) -> None:
        """H121: GSW_USER_EVENT comes first; everything else stays in its order."""
        event: KV = {"GSW_PHONE": "1", "GSW_USER_EVENT": "X", "GSW_CHAIN_ID": 5}
        self.assertEqual(
            list(to_members(event).items()), [("GSW_USER_EVENT", "X"), ("GSW_PHONE", "1"), ("GSW_CHAIN_ID", 5)]
        )
        ordered: KV = {"GSW_USER_EVENT": "X", "b": 1, "a": ["x", 1]}
        self.assertEqual(list(to_members(ordered).items()), list(ordered.items()))

    def test_no_null(self) -> None:
        """H146: members without a value are absent, also in chained records (H291)."""
        event: KV = {
            "GSW_PHONE": None,
            "GSW_USER_EVENT": "ChainedRecordsDataEnd",
            "GSW_CHAINED_RECORDS": [{"a": None, "GSW_RECORD_HANDLE": 8, "GSW_USER_EVENT": "ChainedRecord"}],
        }
        got = to_members(event)
        self.assertEqual(
            json.dumps(got),
            '{"GSW_USER_EVENT": "ChainedRecordsDataEnd", "GSW_CHAINED_RECORDS": '
            '[{"GSW_USER_EVENT": "ChainedRecord", "GSW_RECORD_HANDLE": 8}]}',
        )
        self.assertIsNone(event["GSW_PHONE"], "the event itself is left as it is")

    def test_no_chained_records(self) -> None:
        """H292: a chain of one is an empty array."""
        event: KV = {"GSW_USER_EVENT": "ChainedRecordsDataEnd", "GSW_CHAINED_RECORDS": []}
        self.assertEqual(to_members(event), event)


MEMBER_NAMES = st.one_of(
    st.sampled_from(
        [key for row in REQUESTS.values() for each in row.attributes.values() for key in [a.key for a in each]]
    ),
    st.sampled_from(["GSW_AGENT_REQ_TYPE", "GSW_RECORD_HANDLE", "GSW_CAMPAIGN_GROUP_DBID", "GSW_X", "Segment", ""]),
    st.text(max_size=5),
)
MEMBER_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["1", "15", "3001", "CL", "General", "Campaign", "12/24/2026 09:05", "\ud800", "\0", "x" * 300]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


class PropertyTests(ClockTestCase):
    """Whatever the members, there are key-values of the wire or a refusal, the same for every order."""

    @given(st.sampled_from(EVERY), st.dictionaries(MEMBER_NAMES, MEMBER_VALUES, max_size=6))
    def test_any_members(self, target: str, members: dict[str, object]) -> None:
        """H322, section 4: the order of members changes neither the key-values nor the refusal."""
        got = translated(target, json.dumps(members))
        backwards = translated(target, json.dumps(dict(reversed(members.items()))))
        if isinstance(got, str) and got.startswith("Invalid value"):
            # Of several unknown members that are no text the first of the body is reported.
            self.assertIsInstance(backwards, str)
        else:
            self.assertEqual(got, backwards)
        if isinstance(got, dict):
            self.assertEqual(decode(payload_of(Request(ref=1, data=got))), Request(ref=1, data=got))
            values: list[KVValue] = list(got.values())
            self.assertNotIn(None, values)
