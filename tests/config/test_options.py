"""Tests of ocsgw.config.option_rules: keys of single tables that have to fit each other."""

from tests.config.support import ConfigTestCase
from tests.config.test_objects import calling_list, campaign, group

URI = 'validation_uri = "http://rules.example/validate"'
ON = "pre_dial_validation = true"


class LimitTests(ConfigTestCase):
    """Sections 3, 6, 12."""

    def test_buffered(self) -> None:
        """R53: what is kept of all bodies is at least one of the largest, whichever of the two is given."""
        self.parse_tables('[limits]\nbody = "1MiB"\nbuffered = "1MiB"\n')
        self.assert_refused("[limits]", "buffered", '"1048575B"', "at least body", "1048576 bytes")

    def test_frame(self) -> None:
        """Section 12: frame is at least twice body, whichever of them is given."""
        self.parse_tables('[limits]\nbody = "1MiB"\nframe = "2MiB"\n')
        self.assert_refused("[limits]", "frame", '"2097151B"', "twice", "2097152 bytes")
        self.assert_refused("[limits]", "body", '"1048577B"', "twice")

    def test_lease(self) -> None:
        """Section 6: renew_interval is at most a third of lease_time, whichever is given."""
        self.parse_tables('[ha]\nlease_time = "3s"\n')
        self.parse_tables('[ha]\nlease_time = "300ms"\nrenew_interval = "100ms"\n')
        self.assert_refused("[ha]", "lease_time", '"2.9s"', "third")
        self.assert_refused("[ha]", "renew_interval", '"1.7s"', "third")

    def test_mode(self) -> None:
        """Several servers serve at once on PostgreSQL only; the text says what to do."""
        self.assertEqual(self.parse_tables('[ha]\nmode = "active"\n').ha.mode, "active")
        database = '[store]\nurl = "postgresql://ocsgw@db/ocsgw"\n'
        self.assertEqual(self.parse_tables(f'{database}[ha]\nenabled = true\nmode = "active"\n').ha.mode, "active")
        text = '[ha]\nenabled = true\nmode = "active"\n'
        self.assert_problem(text, 3, "[ha] mode", "several servers cannot serve one SQLite file", "PostgreSQL")

    def test_name_in_the_pair(self) -> None:
        """Section 6: the name in the pair is the application's by default."""
        self.assertEqual(self.parse_text('[application]\ndbid = 1\nname = "A"\n').ha.name, "A")
        self.assertEqual(self.parse_tables('[ha]\nname = "B"\n').ha.name, "B")

    def test_response_timeout(self) -> None:
        """Sections 9, 10: http_response_timeout is smaller than request_timeout."""
        for table in ("[pre_dial_validation]", "[notifications]"):
            self.parse_tables(f'{table}\nhttp_response_timeout = "29.999s"\n')
            self.assert_refused(table, "http_response_timeout", '"30s"', "request_timeout", "30 s")
        problems = self.problems_of('[limits]\nrequest_timeout = "10s"\n')
        self.assertEqual({problem.key.split()[1] for problem in problems}, {"http_response_timeout"})

    def test_control_socket(self) -> None:
        """Section 3: the path of the control socket has at most 107 bytes."""
        text = '[application]\ndbid = 1\nstate_dir = "/{}"\n'
        longest = "é" * 46 + "x"  # 93 bytes; the slashes and the name have 14
        self.assertEqual(len(self.parse_text(text.format(longest)).application.control_socket.encode()), 107)
        (problem,) = self.problems(text.format(longest + "x"))
        self.assertEqual((problem.line, problem.key), (3, "[application] state_dir"))
        self.assertIn("108 bytes", problem.message)

    def test_control_socket_beside_store(self) -> None:
        """Section 3: a long path that comes from the store is reported too."""
        (problem,) = self.problems(f'[application]\ndbid = 1\n[store]\nurl = "sqlite:////{"d" * 100}/x"\n')
        self.assertEqual((problem.line, problem.key), (1, "[application] state_dir"))

    def test_certificate_pair(self) -> None:
        """Sections 9, 10: a certificate and its key come together."""
        self.write_certificates()
        for table in ("[pre_dial_validation]", "[notifications]"):
            self.assert_refused(table, "certificate", '"server.pem"', "certificate_key")
            self.assert_refused(table, "certificate_key", '"server.key"', "needs certificate")
            both = f'{table}\ncertificate = "server.pem"\ncertificate_key = "server.key"\ntrusted_ca = "ca.pem"\n'
            self.parse_tables(both)


class NotificationTests(ConfigTestCase):
    """Section 10: a switch that is on needs its URI."""

    def test_switches(self) -> None:
        """Section 10: each of the three switches needs its own URI; a URI needs no switch."""
        for switch, uri in (
            ("send_campaigngroup_states", "campaigngroup_states_uri"),
            ("send_history", "history_uri"),
            ("contact_processed_notification", "contact_processed_notification_uri"),
        ):
            self.assert_refused("[notifications]", switch, "true", uri)
            self.parse_tables(f'[notifications]\n{switch} = true\n{uri} = "http://h/"\n')
            self.parse_tables(f'[notifications]\n{uri} = "http://h/"\n')
            self.parse_tables(f"[notifications]\n{switch} = false\n")

    def test_misspelled_uri(self) -> None:
        """C3: a URI that is wrong or misspelled is reported once."""
        self.assert_problem(
            '[notifications]\nsend_history = true\nhistory_url = "http://h/"\n',
            3,
            "[notifications] history_url",
            "history_uri",
        )
        self.assert_problem(
            '[notifications]\nsend_history = true\nhistory_uri = "h"\n', 3, "[notifications] history_uri"
        )


class PreDialValidationTests(ConfigTestCase):
    """Section 9, O20."""

    def test_section(self) -> None:
        """Section 9: the switch of the section needs the URI of the section."""
        self.assert_refused("[pre_dial_validation]", "pre_dial_validation", "true", "validation_uri")
        self.parse_tables(f"[pre_dial_validation]\n{ON}\n{URI}\n")
        text = calling_list(1, "L", URI) + f"[pre_dial_validation]\n{ON}\n"
        self.assert_problem(text, 7, "[pre_dial_validation] pre_dial_validation")

    def test_options_of_objects(self) -> None:
        """O20: the three options stand in lists, groups and campaigns too."""
        options = (ON, URI, 'validation_timeout_call_result = "Busy"')
        config = self.parse_tables(
            calling_list(1, "L", *options) + campaign(1, "C", '["L"]', *options) + group(1, "C", "G", *options)
        )
        for part in (config.calling_lists[0], config.campaigns[0], config.campaign_groups[0]):
            self.assertEqual(
                (part.pre_dial_validation, part.validation_uri, part.validation_timeout_call_result),
                (True, "http://rules.example/validate", 6),
            )

    def test_uri_along_the_way(self) -> None:
        """O20: the URI is looked up in list, group, campaign and section, each standing in for the ones before."""
        for place in ("list", "group", "campaign", "section"):
            uris = {name: (URI,) if name == place else () for name in ("list", "group", "campaign", "section")}
            self.parse_tables(
                calling_list(1, "L", ON, *uris["list"])
                + group(1, "C", "G", *uris["group"])
                + campaign(1, "C", '["L"]', *uris["campaign"])
                + "\n".join(["[pre_dial_validation]", *uris["section"], ""])
            )

    def test_on_without_uri(self) -> None:
        """O20: an object that switches validation on needs a URI somewhere along the way, and is reported once."""
        for lists, campaigns, groups, line, key in (
            ((ON,), (), (), 5, "[[calling_list]]"),
            ((), (ON,), (), 9, "[[campaign]]"),
            ((), (), (ON,), 13, "[[campaign_group]]"),
            ((ON,), (ON,), (ON,), 5, "[[calling_list]]"),
        ):
            text = calling_list(1, "L", *lists) + campaign(1, "C", '["L"]', *campaigns) + group(1, "C", "G", *groups)
            self.assert_problem(text + group(2, "C", "H", URI), line, f"{key} pre_dial_validation", "validation_uri")

    def test_objects_that_are_not_used_yet(self) -> None:
        """O20: lists without campaign, campaigns without lists or groups, and groups without lists count as well."""
        self.assert_problem(calling_list(1, "L", ON), 5, "[[calling_list]] pre_dial_validation")
        self.assert_problem(campaign(1, "C", "[]", ON), 5, "[[campaign]] pre_dial_validation")
        text = campaign(1, "C", "[]") + group(1, "C", "G", ON)
        self.assert_problem(text, 9, "[[campaign_group]] pre_dial_validation")

    def test_several_ways(self) -> None:
        """O20: a list that is used in two groups is reported once."""
        objects = campaign(1, "C", '["L"]') + group(1, "C", "G") + group(2, "C", "H")
        self.assert_problem(calling_list(1, "L", ON) + objects, 5, "[[calling_list]] pre_dial_validation")

    def test_switched_off(self) -> None:
        """O20: the list's own switch decides for its records."""
        self.parse_tables(
            calling_list(1, "L", "pre_dial_validation = false") + campaign(1, "C", '["L"]', ON) + group(1, "C", "G", ON)
        )

    def test_broken_options(self) -> None:
        """C3: a URI that is wrong is reported, not that there is none."""
        self.assert_problem(calling_list(1, "L", ON, 'validation_uri = "h"'), 6, "[[calling_list]] validation_uri")
        self.assert_problem(calling_list(1, "L", ON) + campaign(1, "C", "5", URI), 9, "[[campaign]] calling_lists")
