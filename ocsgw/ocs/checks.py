"""Checks of a configuration that need more than its grammar: certificates and places."""

import time
from datetime import UTC, datetime

from ocsgw.config import Check, Rule, Section, warn_of_lists_in_no_campaign
from ocsgw.ocs.certificates import check_certificates
from ocsgw.ocs.places import check_log, check_pair

_DAY = 86400
_SOON = 30 * _DAY


def warn_of_expiry(document: Section) -> None:
    """Warn of API keys that have expired or soon will, as the log does while the server runs."""
    now = time.time()
    for key in document.tables("api_key"):
        if not key.sound("expires") or key["expires"] is None:
            continue
        left = key["expires"] - now
        end = datetime.fromtimestamp(key["expires"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        if left <= 0:
            key.warn("expires", f"the key expired at {end} UTC; requests with it get 401", "remove it, or make another")
        elif left <= _SOON:
            key.warn("expires", f"the key expires at {end} UTC", "make another with: ocsgw key create NAME")


# At the start and at each reload.
CHECKS: tuple[Check, ...] = (check_log, check_pair)
RULES: tuple[Rule, ...] = (check_certificates,)
# For `ocsgw check-config` only: nothing that hinders a start, and a running server reports keys when it is time.
ADVICE: tuple[Rule, ...] = (warn_of_expiry, warn_of_lists_in_no_campaign)
