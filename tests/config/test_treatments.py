"""Tests of ocsgw.config.treatment_rules: treatments and the limit of personal callbacks (section 11)."""

from datetime import datetime

from tests.config.support import ConfigTestCase

_LIST = '[[calling_list]]\ndbid = {0}\nname = "L{0}"\ntable = "t{0}"\n'


class TreatmentTests(ConfigTestCase):
    """Section 11."""

    def treatment(self, *lines: str, dbid: int = 1, result: object = '"Busy"') -> str:
        return "\n".join([f'[[treatment]]\ndbid = {dbid}\nname = "T{dbid}"\ncall_result = {result}', *lines, ""])

    def assert_warnings(self, text: str, *expected: tuple[str, str]) -> None:
        warnings = self.parse_tables(text).warnings
        self.assertEqual([each.key for each in warnings], [key for key, _ in expected], warnings)
        for warning, (_, words) in zip(warnings, expected, strict=True):
            self.assertIn(words, f"{warning.message}; {warning.hint}")

    def test_defaults(self) -> None:
        """Section 11: a treatment is for all lists, first in the sequence, and without limits."""
        found = self.parse_tables(self.treatment('action = "finish"')).treatments[0]
        self.assertEqual((found.dbid, found.name, found.call_result, found.action), (1, "T1", 6, "finish"))
        self.assertEqual((found.calling_lists, found.sequence, found.interval, found.increment), (None, 1, None, 0.0))
        self.assertEqual((found.at, found.cycle_attempt, found.max_attempts), (None, 0, 0))
        options = self.parse_tables("").treatment_options
        self.assertEqual((options.on_processed, options.personal_callback_limit), (False, 0.0))

    def test_scxml(self) -> None:
        """O34: treatments of that type are not known; the actions that there are are shown."""
        self.assert_problem(self.treatment('action = "scxml"'), 5, "[[treatment]] action")

    def test_names(self) -> None:
        """C8: a name has 1 to 255 characters of any kind; it is not written to the table."""
        for name in ("x" * 255, "a;b", "/"):
            text = f'[[treatment]]\ndbid = 1\nname = "{name}"\ncall_result = 1\naction = "finish"\n'
            self.assertEqual(self.parse_tables(text).treatments[0].name, name)
        for name in ("", "x" * 256):
            text = f'[[treatment]]\ndbid = 1\nname = "{name}"\ncall_result = 1\naction = "finish"\n'
            self.assert_problem(text, 3, "[[treatment]] name")

    def test_unique(self) -> None:
        """Section 11: DBID and name stand once."""
        text = self.treatment('action = "finish"')
        self.assertEqual(
            [each.key for each in self.problems_of(text + text)], ["[[treatment]] dbid", "[[treatment]] name"]
        )

    def test_what_actions_need(self) -> None:
        """C97: retry_in needs an interval, of which zero is one, and retry_at a time."""
        self.assert_problem(self.treatment('action = "retry_in"'), 1, "[[treatment]] interval", "15m")
        self.assert_problem(self.treatment('action = "retry_at"'), 1, "[[treatment]] at", "2026-12-24")
        found = self.parse_tables(self.treatment('action = "retry_in"', "interval = 0")).treatments[0]
        self.assertEqual(found.interval, 0.0)
        for action in ("finish", "next_in_chain", "assign_to_group", "agent_error", "no_call"):
            self.assertEqual(self.parse_tables(self.treatment(f'action = "{action}"')).treatments[0].action, action)
        self.assert_problem(self.treatment('action = "dial"'), 5, "[[treatment]] action", '"next_in_chain"')

    def test_at(self) -> None:
        """Section 11: a date and time without zone, of TOML or as a text."""
        for written in ('"2026-12-24 09:30"', '"2026-12-24 09:30:00"', "2026-12-24T09:30:00", "2026-12-24 09:30:00"):
            text = self.treatment('action = "retry_at"', f"at = {written}")
            self.assertEqual(self.parse_tables(text).treatments[0].at, datetime(2026, 12, 24, 9, 30))  # noqa: DTZ001
        for written in ("2026-12-24", "2026-12-24T09:30:00Z", '"2026-12-24"', '"2026-13-24 09:30"', "1", '"tomorrow"'):
            text = self.treatment('action = "retry_at"', f"at = {written}")
            self.assert_problem(text, 6, "[[treatment]] at", "2026-12-24 09:30")

    def test_calling_lists(self) -> None:
        """C9: the calling lists of a treatment exist; an empty array is refused."""
        text = _LIST.format(1) + self.treatment('action = "no_call"', 'calling_lists = ["L1"]')
        self.assertEqual(self.parse_tables(text).treatments[0].calling_lists, ("L1",))
        key = "[[treatment]] calling_lists"
        self.assert_problem(text.replace('["L1"]', '["L2"]'), 10, key, '[[calling_list]] "L2"')
        self.assert_problem(text.replace('["L1"]', "[]"), 10, key, "empty")

    def test_campaigns(self) -> None:
        """C89: `campaigns` of earlier versions is an error that shows the lists to be written instead."""
        campaign = '[[campaign]]\ndbid = 1\nname = "C"\ncalling_lists = ["L1", "L2"]\n'
        treatment = self.treatment('action = "finish"', 'campaigns = ["C", "D"]')
        text = _LIST.format(1) + _LIST.format(2) + campaign + treatment
        self.assert_problem(text, 18, "[[treatment]] campaigns", 'calling_lists = ["L1", "L2"]')
        self.assert_problem(treatment, 6, "[[treatment]] campaigns", '"calling_lists"')

    def test_without_a_call(self) -> None:
        """C97: nobody has been called, so neither the chain can go on nor the record be blocked."""
        for action in ("next_in_chain", "no_call"):
            text = self.treatment(f'action = "{action}"', result=47)
            self.assert_problem(text, 5, "[[treatment]] action", "assign_to_group")
        self.parse_tables(self.treatment('action = "assign_to_group"', result='"Agent CallBack Error"'))

    def test_keys_without_effect(self) -> None:
        """C98: a key that the action does not use is a warning."""
        rows = {
            "interval = 60": ("finish", "retry_at", "agent_error", "no_call"),
            "increment = 60": ("finish", "retry_at", "agent_error", "no_call"),
            "at = 2030-01-01 00:00:00": (
                ("finish", "next_in_chain", "retry_in", "assign_to_group", "agent_error", "no_call")
            ),
        }
        needed = {"retry_in": "interval = 1", "retry_at": "at = 2030-01-01 00:00:00"}
        for line, actions in rows.items():
            for action in ("next_in_chain", "retry_in", "retry_at", "assign_to_group", "agent_error", "no_call"):
                more = [needed[action]] if action in needed and not line.startswith(needed[action][:4]) else []
                expected = [(f"[[treatment]] {line.split()[0]}", "has no effect")] if action in actions else []
                self.assert_warnings(self.treatment(f'action = "{action}"', line, *more), *expected)

    def test_never_applied(self) -> None:
        """C98: what comes behind a treatment without limit in each of its lists can never be applied."""
        lists = _LIST.format(1) + _LIST.format(2)
        endless = self.treatment('action = "finish"', 'calling_lists = ["L1"]')
        key = "[[treatment]] sequence"
        for second, warned in (
            (self.treatment('action = "finish"', dbid=2), False),
            (self.treatment('action = "finish"', 'calling_lists = ["L1"]', dbid=2), True),
            (self.treatment('action = "finish"', 'calling_lists = ["L2"]', dbid=2), False),
            (self.treatment('action = "finish"', 'calling_lists = ["L1"]', dbid=2, result=7), False),
        ):
            self.assert_warnings(lists + endless + second, *([(key, '"T1"')] if warned else []))
        for limit in ("cycle_attempt = 1", "max_attempts = 1"):
            limited = self.treatment('action = "finish"', limit)
            self.assert_warnings(lists + limited + self.treatment('action = "finish"', dbid=2))
        until = self.treatment('action = "retry_at"', "at = 2030-01-01 00:00:00")
        self.assert_warnings(lists + until + self.treatment('action = "finish"', dbid=2))
        later = self.treatment('action = "finish"', "sequence = 2") + self.treatment('action = "finish"', dbid=2)
        self.assert_warnings(lists + later, (key, '"T2"'))

    def test_limit_of_personal_callbacks(self) -> None:
        """C98: a limit without a treatment for call result 47 is a warning, where it is set."""
        general = "[treatments]\npersonal_callback_limit = 60\n"
        treatment = self.treatment('action = "assign_to_group"', 'calling_lists = ["L1"]', result=47)
        both = _LIST.format(1) + _LIST.format(2)
        own = _LIST.format(1) + 'personal_callback_limit = "1h"\n'
        self.assert_warnings(general + both, ("[treatments] personal_callback_limit", '"L1" and "L2"'))
        self.assert_warnings(general + both + treatment, ("[treatments] personal_callback_limit", 'in "L2"'))
        self.assert_warnings(own, ("[[calling_list]] personal_callback_limit", "47"))
        self.assert_warnings(own + treatment)
        self.assert_warnings(general + _LIST.format(1) + "personal_callback_limit = 0\n")
        self.assertEqual(self.parse_tables(own).calling_lists[0].personal_callback_limit, 3600.0)
