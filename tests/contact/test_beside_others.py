"""The rules in transactions beside those of other servers, on PostgreSQL: they answer and write as they do alone."""

from tests.contact import test_by_handle, test_preview
from tests.support.postgresql_rules import BesideOthers


class EligibilityTests(BesideOthers, test_preview.EligibilityTests):
    """What may be handed out."""


class BlockedTests(BesideOthers, test_preview.DoNotCallTests):
    """What is on the do-not-call list."""


class RecordProcessedTests(BesideOthers, test_by_handle.RecordProcessedTests):
    """Results."""
