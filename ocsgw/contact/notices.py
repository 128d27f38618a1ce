"""What desktops are shown of the records that their agents hold (protocol.md section 3.2).

Unlike changes in the outbox it is not stored: a desktop that is not connected does not get it later (P32).
"""

from dataclasses import dataclass

from ocsgw.protocol.messages import KV


@dataclass(frozen=True, slots=True)
class Notice:
    """An unsolicited event for all desktops of `agents` but for the session that has caused it.

    `members` are its key-values without the common keys.
    """

    event: str
    members: KV
    agents: tuple[str, ...]
    but_session: int = 0
