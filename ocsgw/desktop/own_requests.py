"""Requests of desktops that need no store: preview mode and readiness (protocol.md P23, P24)."""

import itertools
from collections.abc import Callable

from ocsgw.contact.directory import Directory
from ocsgw.desktop.eligibility import Eligibility
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import RequestType


class OwnRequests:
    """Answers them; `needs_start` is `[desktop] agent_preview_mode_start`, `when_ready` is called for ReadyTime."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        needs_start: Callable[[], bool],
        when_ready: Callable[[], object] = lambda: None,
    ) -> None:
        self._directory = directory
        self._needs_start = needs_start
        self._when_ready = when_ready
        self._starts = itertools.count(1)

    def answer(self, desktop: Eligibility, request: RequestType, data: KV) -> KV | None:
        """Return the answer to a request of a desktop, None for one that the rules answer. Raises `Refusal`."""
        name = request.name
        if name == "PreviewDialingModeStart":
            desktop.start(next(self._starts), self._campaign(data))
            self._when_ready()
        elif name == "PreviewDialingModeOver":
            desktop.over(self._campaign(data))
        elif name == "ReadyTime":
            self._when_ready()
        elif name == "PreviewRecordRequest":
            self._check_preview(desktop, data)
            return None
        else:
            if name == "LogOut":
                # What the agent holds is the business of the rules.
                desktop.over()
            return None
        return self._acknowledge(request, data)

    def _check_preview(self, desktop: Eligibility, data: KV) -> None:
        """Refuse a PreviewRecordRequest outside of preview mode where that has to be started (P23)."""
        if not self._needs_start():
            return
        directory = self._directory()
        group = directory.group_by_dbid(data.get("GSW_CAMPAIGN_GROUP_DBID"))
        campaign = group.campaign if group is not None else directory.campaign_named(data.get("GSW_CAMPAIGN_NAME"))
        if not desktop.is_eligible(campaign.name if campaign is not None else "", needs_start=True):
            raise Refusal("invalid_state")

    def _campaign(self, data: KV) -> str | None:
        """Return the campaign that a request names by its name as configured, None without one."""
        name = data.get("GSW_CAMPAIGN_NAME")
        if name is None:
            return None
        campaign = self._directory().campaign_named(name)
        if campaign is None:
            raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
        return campaign.name

    def _acknowledge(self, request: RequestType, data: KV) -> KV:
        application = self._directory().application_dbid
        event: KV = {"GSW_USER_EVENT": request.success[0], "GSW_APPLICATION_ID": application}
        for key in ("GSW_CAMPAIGN_NAME", "GSW_REFERENCE_ID"):
            if key in data:
                event[key] = data[key]
        return event
