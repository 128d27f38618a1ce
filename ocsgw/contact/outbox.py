"""What others learn of once it is committed: desktops, third-party applications, the other server of a pair."""

from dataclasses import dataclass

from ocsgw.protocol.messages import KV


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A campaign group was loaded, started, stopped or unloaded, or its dial mode changed (protocol.md section 3.2).

    `event` is the name of the unsolicited event, `members` are its key-values without the common keys.
    """

    event: str
    members: KV


# Rules append these to `UnitOfWork.outbox`; the committer hands them to its listeners after the commit.
Change = GroupChanged
