"""What the admin listener sees of a running OCS."""

from collections.abc import Sequence
from typing import Any, Protocol

from ocsgw.control.commands import Controlled


class RefusedRequest(Protocol):
    """A request that OCS has refused."""

    @property
    def number(self) -> int:
        """Counts the refusals since the start."""

    @property
    def at(self) -> float:
        """When it was, in seconds since 1970 UTC."""

    @property
    def request(self) -> str:
        """Name of the request."""

    @property
    def text(self) -> str:
        """Why, in words."""

    @property
    def contact(self) -> str | None:
        """The contact that it was about, if it names one."""


class StatusView(Protocol):
    """What is known without the store and costs nothing worth counting."""

    def status(self) -> dict[str, Any]:
        """Return what `ocsctl status --json` shows, but for campaign groups (docs/operations.md)."""


class AdminView(Controlled, Protocol):
    """A running OCS: everything that `ocsctl` may ask it, and what the console shows besides."""

    def refusals(self) -> Sequence[RefusedRequest]:
        """Return the last refusals, the newest first."""

    def configuration(self) -> Sequence[tuple[str, str]]:
        """Return every key of the configuration in force with its value in words; secrets are not shown."""

    def audit_lines(self) -> list[str]:
        """Return the last lines of the audit log, the oldest first; none if there is no such log."""

    def log_lines(self) -> list[str]:
        """Return the last lines of the log, the oldest first."""
