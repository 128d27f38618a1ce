"""The OpenAPI document: valid, complete, and served to everybody."""

from typing import Any

from openapi_spec_validator import validate

from ocsgw.protocol.errors import ERRORS
from ocsgw.protocol.event_stream import EVENT_TYPES
from ocsgw.protocol.requests import REQUESTS
from ocsgw.proxy.openapi import document
from tests.proxy.test_request_policy import api_key
from tests.support.http import HttpTestCase, request


class DocumentTests(HttpTestCase):
    """What it says."""

    def setUp(self) -> None:
        super().setUp()
        self.document: dict[str, Any] = document()

    def test_valid(self) -> None:
        """It is a document of OpenAPI 3.1."""
        validate(self.document)

    def test_requests(self) -> None:
        """Each request over HTTP stands on its paths, with each of its attributes."""
        schemas = self.document["components"]["schemas"]
        for row in REQUESTS.values():
            for resource, attributes in row.attributes.items():
                (path,) = (each for name, each in self.document["paths"].items() if name.startswith(f"/{resource}/"))
                (names,) = (each["schema"]["enum"] for each in path["post"]["parameters"] if each["name"] == "req")
                self.assertLessEqual({row.name, *row.aliases}, set(names))
                self.assertLessEqual({each.key for each in attributes}, set(schemas[row.name]["properties"]))

    def test_answers(self) -> None:
        """Each status of the error table stands in each path."""
        statuses = {"200", *(str(row.status) for row in ERRORS.values())}
        for path in self.document["paths"].values():
            for each in (path[method] for method in ("get", "post") if method in path):
                self.assertEqual(set(each["responses"]), statuses)

    def test_events(self) -> None:
        """The stream of events has its filters, with all types."""
        parameters = {each["name"]: each for each in self.document["paths"]["/events"]["get"]["parameters"]}
        self.assertEqual(set(parameters), {"type", "list", "campaigngroup", "lastEventId", "Last-Event-ID"})
        self.assertEqual(parameters["type"]["schema"]["items"]["enum"], list(EVENT_TYPES))

    def test_required(self) -> None:
        """What a request needs is required."""
        self.assertEqual(self.document["components"]["schemas"]["AddRecord"]["required"], ["GSW_PHONE"])


class ServedTests(HttpTestCase):
    """`/openapi.json`."""

    def test_get(self) -> None:
        """It is served to whoever can connect, without a key, and the connection stays."""
        client = self.serve(keys=[api_key("crm", "secret")]).connect().send(request("/openapi.json", b"", method="GET"))
        (answer,) = client.answers()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["openapi"], "3.1.0")

    def test_other_methods(self) -> None:
        """H71: other methods are refused as everywhere."""
        self.assertEqual(self.ask(request("/openapi.json", b"{}")).status, 405)

    def test_beside_it(self) -> None:
        """Other targets are those of the classic surface, whatever they begin with."""
        server = self.serve()
        for target in ("/openapi", "/openapi.jsonx", "/Openapi.json"):
            self.assertEqual(self.ask(request(target, b"", method="GET"), server).status, 404)
