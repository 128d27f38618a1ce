"""Checks of a configuration that need more than its grammar: certificates, and what this version does not do."""

from ocsgw.config import Check, Rule, refuse_not_built
from ocsgw.ocs.certificates import check_certificates

CHECKS: tuple[Check, ...] = ()
RULES: tuple[Rule, ...] = (check_certificates, refuse_not_built)
