"""When scheduled calls go to a desktop, and to which one of an agent (protocol.md P23, P24, P34)."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Eligibility:
    """What the agent at one desktop has said about preview mode.

    `connected` and `started` are numbers that grow: of the connection, and of the last start, 0 without one. Until the
    first word `is_on` is None, and the option decides.
    """

    connected: int
    started: int = 0
    is_on: bool | None = None
    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)

    def start(self, number: int, campaign: str | None) -> None:
        """Preview mode is started, for a campaign or for all."""
        self.started = number
        if campaign is None:
            self.is_on = True
            self.begun.clear()
            self.ended.clear()
        else:
            self.begun.add(campaign)
            self.ended.discard(campaign)

    def over(self, campaign: str | None = None) -> None:
        """Preview mode is over, for a campaign or for all."""
        if campaign is None:
            self.is_on = False
            self.begun.clear()
            self.ended.clear()
        else:
            self.ended.add(campaign)
            self.begun.discard(campaign)

    def is_eligible(self, campaign: str, *, needs_start: bool) -> bool:
        """Whether the desktop takes calls of a campaign; `needs_start` is `[desktop] agent_preview_mode_start`."""
        is_on = not needs_start if self.is_on is None else self.is_on
        return campaign in self.begun or (is_on and campaign not in self.ended)


def latest(desktops: Iterable[Eligibility]) -> Eligibility:
    """Return the desktop of an agent that a scheduled call goes to (P34)."""
    return max(desktops, key=lambda each: (each.started, each.connected))
