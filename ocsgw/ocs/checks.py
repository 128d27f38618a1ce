"""Checks of a configuration that need more than its grammar: certificates, and what this version serves."""

from collections.abc import Callable

from ocsgw.config import Config, Rule
from ocsgw.ocs.certificates import check_certificates

KeyPath = tuple[str | int, ...]
Report = Callable[[KeyPath, str, str], None]


def check_supported(config: Config, report: Report) -> None:
    """Report what it would be dangerous to pass over in silence: it would promise what does not happen."""
    if config.store.kind != "sqlite":
        report(("store", "url"), "this version serves SQLite only", 'use "sqlite:///FILE"')
    if config.ha.enabled:
        report(("ha", "enabled"), "this version has no primary and backup", "set it to false")


def not_served(config: Config) -> list[str]:
    """Return a line for each part that is configured and not served, to be logged at each start."""
    lines = [
        f"Listener {each.id} has the protocol {each.protocol}, which this version does not serve; its port stays closed"
        for each in config.listeners
        if each.protocol != "http"
    ]
    notifications = config.notifications
    if (
        notifications.send_campaigngroup_states
        or notifications.send_history
        or notifications.contact_processed_notification
    ):
        lines.append("[notifications] are configured, which this version does not send")
    return lines


CHECKS = (check_supported,)
RULES: tuple[Rule, ...] = (check_certificates,)
