"""What the admin listener sees of a running OCS."""

from typing import Any, Protocol

from ocsgw.control.commands import Controlled


class StatusView(Protocol):
    """What is known without the store and costs nothing worth counting."""

    def status(self) -> dict[str, Any]:
        """Return what `ocsctl status --json` shows, but for campaign groups (docs/operations.md)."""


class AdminView(Controlled, Protocol):
    """A running OCS: everything that `ocsctl` may ask it, and what the console shows besides."""

    def now(self) -> float:
        """Return the time, in seconds since 1970 UTC."""

    def audit_lines(self) -> list[str]:
        """Return the last lines of the audit log, the oldest first; none if there is no such log."""
