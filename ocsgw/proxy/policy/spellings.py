"""How requests and resource types are spelt in targets: the standard spellings, and those of the site (http.md 9)."""

from collections.abc import Mapping
from dataclasses import dataclass

from ocsgw.protocol.messages import AliasSettings
from ocsgw.protocol.requests import HTTP_REQUESTS, RESOURCE_TYPES, RequestType, ResourceType


@dataclass(frozen=True, slots=True, eq=False)
class Spellings:
    """What every spelling means; the keys are in lower case where they are ASCII (H50)."""

    requests: Mapping[str, RequestType]
    resources: Mapping[str, ResourceType]

    def request(self, spelling: str) -> RequestType | None:
        """Return the request that is spelt so, None if there is none."""
        return self.requests.get(ascii_lower(spelling))

    def resource(self, spelling: str) -> ResourceType | None:
        """Return the resource type that is spelt so, None if there is none."""
        return self.resources.get(ascii_lower(spelling))


STANDARD = Spellings(HTTP_REQUESTS, RESOURCE_TYPES)


def spellings_with(aliases: AliasSettings) -> Spellings:
    """Return the standard spellings and those of the site. Raises `LookupError` for an alias of nothing."""
    if not aliases.requests and not aliases.resources:
        return STANDARD
    requests = {ascii_lower(spelling): HTTP_REQUESTS[name.lower()] for spelling, name in aliases.requests.items()}
    resources = {ascii_lower(spelling): RESOURCE_TYPES[name] for spelling, name in aliases.resources.items()}
    return Spellings({**requests, **HTTP_REQUESTS}, {**resources, **RESOURCE_TYPES})


def ascii_lower(text: str) -> str:
    """Lower-case ASCII only: other scripts have letters whose lower case is an ASCII letter."""
    return text.lower() if text.isascii() else text
