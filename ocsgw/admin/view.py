"""What the admin listener sees of a running OCS."""

from typing import Any, Protocol


class AdminView(Protocol):
    """A running OCS; everything here is known without the store and costs nothing worth counting."""

    def status(self) -> dict[str, Any]:
        """Return what `ocsctl status --json` shows, but for campaign groups (docs/operations.md)."""
