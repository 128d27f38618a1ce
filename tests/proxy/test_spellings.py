"""A site's own spellings of requests and resource types in targets (http.md section 9, H50, H99)."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import parse
from ocsgw.ocs.settings import settings_of
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import AliasSettings, Settings
from ocsgw.proxy.policy.request_policy import RequestPolicy
from ocsgw.proxy.policy.spellings import STANDARD, spellings_with
from ocsgw.proxy.policy.target import Target, parse_target
from ocsgw.proxy.translation.translate import to_key_values
from tests.support.settings import make_settings

ALIASES = AliasSettings(
    requests={"Block": "DoNotCall", "добавить": "AddRecord"}, resources={"CallingLists": "lists", "numéros": "phones"}
)
CONFIG = """
[application]
dbid = 1
[[listener]]
id = "a"
protocol = "http"
port = 8080
[aliases]
DoNotCall = ["Block"]
lists = ["CallingLists", "cl"]
"""


class SpellingTests(SynchronousTestCase):
    """Targets."""

    def target(self, target: str) -> Target:
        """Return a target, parsed with the aliases."""
        return parse_target(target.encode("utf-8"), None, spellings_with(ALIASES))

    def test_resource_types(self) -> None:
        """H50: an alias means its resource type in any case of ASCII letters; the standard spellings stay."""
        for target in ("/callinglists/x?req=AddRecord", "/CALLINGLISTS/x?req=addrecord", "/lists/x?req=AddRecord"):
            found = self.target(target)
            assert found.request is not None
            self.assertEqual((found.resource, found.identifier, found.request.name), ("lists", "x", "AddRecord"))
        self.assertEqual(self.target("/num%C3%A9ros/1?req=DoNotCall").resource, "phones")
        self.assertIsNone(parse_target(b"/callinglists/x?req=AddRecord", None).resource)

    def test_requests(self) -> None:
        """Section 9: an alias means its request, and is reported as used."""
        found = self.target("/phones/1?req=bLOCK")
        assert found.request is not None
        self.assertEqual((found.request.name, found.alias), ("DoNotCall", "bLOCK"))
        found = self.target("/lists/x?req=%D0%B4%D0%BE%D0%B1%D0%B0%D0%B2%D0%B8%D1%82%D1%8C")
        assert found.request is not None
        self.assertEqual((found.request.name, found.alias), ("AddRecord", "добавить"))

    def test_errors_name_the_request(self) -> None:
        """H152: texts have the canonical names."""
        refusal = self.target("/lists/x?req=Block").refusal
        assert refusal is not None
        self.assertEqual(refusal.text, "Request DoNotCall is not supported for resource lists")

    def test_redundant_request_in_the_body(self) -> None:
        """H99: in `GSW_AGENT_REQ_TYPE` an alias counts as the same, another request does not."""
        target = self.target("/phones/1?req=DoNotCall")
        for named in ("block", "DoNotCall", "Block"):
            self.assertEqual(to_key_values(target, {"GSW_AGENT_REQ_TYPE": named})["GSW_AGENT_REQ_TYPE"], "DoNotCall")
        for wrong in ("добавить", "Blok", 5):
            members: dict[str, Any] = {"GSW_AGENT_REQ_TYPE": wrong}
            self.assertRaises(Refusal, to_key_values, target, members)

    def test_without_aliases(self) -> None:
        """Without aliases there is one table for all."""
        self.assertIs(spellings_with(AliasSettings()), STANDARD)

    def test_alias_of_nothing(self) -> None:
        """Settings with an alias of something unknown cannot be used (exit status 78 of the child)."""
        for aliases in (AliasSettings(requests={"x": "y"}), AliasSettings(resources={"x": "y"})):
            self.assertRaises(LookupError, RequestPolicy, make_settings(aliases=aliases))

    def test_from_the_configuration(self) -> None:
        """The settings message carries them, each with what it means (protocol.md section 7)."""
        config = parse(CONFIG, "ocsgw.toml")
        listener = config.listeners[0]
        settings: Settings = settings_of(config, listener, listener)
        self.assertEqual(
            settings.aliases,
            AliasSettings(requests={"Block": "DoNotCall"}, resources={"CallingLists": "lists", "cl": "lists"}),
        )
