"""What a rule may ask of the store about what has been answered, and what of it is in the audit log."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from ocsgw.protocol.messages import KV


class StoredAnswer(msgspec.Struct):
    """The acknowledgement that was given under an idempotency key, kept until `expires_at` (H323, H329)."""

    fingerprint: bytes
    event: KV
    expires_at: int


class AnswerStatements(Protocol):
    """Answers under idempotency keys: found by a primary key, some microseconds for a whole batch."""

    def stored_answers(self, keys: Sequence[tuple[str, str]], now: int) -> Mapping[tuple[str, str], StoredAnswer]:
        """Return the answers stored under (principal, key) that have not expired."""

    def store_answers(self, answers: Mapping[tuple[str, str], StoredAnswer]) -> None:
        """Store answers under (principal, key)."""

    def forget(self, now: int, at_most: int) -> int:
        """Delete answers and spent handles that have expired, at most so many of each; return how many answers."""


class AuditStatements(Protocol):
    """Where the audit log stands: one row."""

    def audit_position(self) -> tuple[int, str] | None:
        """Return number and hash of the last line of the audit log that was committed; None before the first one."""

    def save_audit_position(self, number: int, mark: str) -> None:
        """Store number and hash of the last line of the audit log, with the changes that it stands for."""
