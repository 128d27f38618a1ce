"""The requests of desktops and third-party applications as methods (protocol.md section 3).

Methods fill in keys and nothing else: what a request means, and whether it may be sent, is the business of the server.
"""

from abc import ABC, abstractmethod
from typing import Generic, Literal, TypeVar

from ocsgw.protocol.messages import KV, KVValue

T = TypeVar("T")

ShareMode = Literal["Consult", "Transfer", "Conference", "Release"]
CallbackType = Literal["Campaign", "Personal"]
# A campaign group by its DBID, or the only one of a campaign by the campaign's name (P11).
Group = int | str


class Requests(ABC, Generic[T]):
    """Every request; `T` is what sending one gives. Further keys are given by name, as in `GSW_PHONE_TYPE=4`.

    `idempotency_key` lets a request be repeated without being carried out twice; it goes to `request`.
    """

    @abstractmethod
    def request(self, name: str, keys: KV, *, idempotency_key: str | None = None) -> T:
        """Send a request by its name with its keys."""

    def _send(self, name: str, given: dict[str, KVValue], more: dict[str, KVValue]) -> T:
        key = more.pop("idempotency_key", None)
        keys: KV = {name: value for name, value in (given | more).items() if value is not None}
        return self.request(name, keys, idempotency_key=str(key) if key is not None else None)

    # Records.

    def add_record(self, calling_list: str, phone: str, **keys: KVValue) -> T:
        """Add a record to a calling list."""
        return self._send("AddRecord", {"GSW_CALLING_LIST": calling_list, "GSW_PHONE": phone}, keys)

    def preview(self, group: Group, **keys: KVValue) -> T:
        """Fetch the next record to call: the answer is PreviewRecord, or PreviewRecordEmpty."""
        return self._send("PreviewRecordRequest", _group(group), keys)

    def processed(self, handle: int, call_result: int | str | None = None, **keys: KVValue) -> T:
        """Report that a record has been dealt with."""
        return self._send("RecordProcessed", {"GSW_RECORD_HANDLE": handle, "GSW_CALL_RESULT": call_result}, keys)

    def update(self, handle: int, **keys: KVValue) -> T:
        """Change a record that is in process; the time for it begins anew."""
        return self._send("UpdateCallCompletionStats", {"GSW_RECORD_HANDLE": handle}, keys)

    def reschedule(self, handle: int, date_time: str, callback_type: CallbackType = "Campaign", **keys: KVValue) -> T:
        """Schedule a callback, `date_time` as in `11/28/2026 09:30`."""
        given: dict[str, KVValue] = {
            "GSW_RECORD_HANDLE": handle,
            "GSW_DATE_TIME": date_time,
            "GSW_CALLBACK_TYPE": callback_type,
        }
        return self._send("RecordReschedule", given, keys)

    def reject(self, handle: int, **keys: KVValue) -> T:
        """Give a record back as it was."""
        return self._send("RecordReject", {"GSW_RECORD_HANDLE": handle}, keys)

    def cancel(
        self, handle: int | None = None, *, phone: str | None = None, customer_id: str | None = None, **keys: KVValue
    ) -> T:
        """Cancel a record, or all of a phone or customer id."""
        return self._send("RequestRecordCancel", _target(handle, phone, customer_id), keys)

    def do_not_call(
        self, handle: int | None = None, *, phone: str | None = None, customer_id: str | None = None, **keys: KVValue
    ) -> T:
        """Put a contact or customer on the do-not-call list."""
        return self._send("DoNotCall", _target(handle, phone, customer_id), keys)

    def chained_records(self, handle: int, **keys: KVValue) -> T:
        """Fetch the other records of the chain; they are the `parts` of the answer."""
        return self._send("ChainedRecordRequest", {"GSW_RECORD_HANDLE": handle}, keys)

    def share(self, handle: int, mode: ShareMode, agent_id: str | None = None, **keys: KVValue) -> T:
        """Share a hand-out with another agent, give it away, or release an agent from it."""
        given: dict[str, KVValue] = {"GSW_RECORD_HANDLE": handle, "GSW_SHARE_MODE": mode, "GSW_AGENT_ID": agent_id}
        return self._send("RecordShare", given, keys)

    # Agents.

    def preview_mode_start(self, campaign: str | None = None, **keys: KVValue) -> T:
        """Take scheduled calls from now on, of one campaign or of all."""
        return self._send("PreviewDialingModeStart", {"GSW_CAMPAIGN_NAME": campaign}, keys)

    def preview_mode_over(self, campaign: str | None = None, **keys: KVValue) -> T:
        """Take no more scheduled calls."""
        return self._send("PreviewDialingModeOver", {"GSW_CAMPAIGN_NAME": campaign}, keys)

    def ready(self, **keys: KVValue) -> T:
        """Say that the agent is ready."""
        return self._send("ReadyTime", {}, keys)

    def log_out(self, **keys: KVValue) -> T:
        """Log the agent out."""
        return self._send("LogOut", {}, keys)

    # Campaign groups.

    def campaign_status(self, group: Group | None = None, **keys: KVValue) -> T:
        """Ask for the state of a campaign group, or of all."""
        return self._send("CampaignStatusRequest", _group(group) if group is not None else {}, keys)

    def load_campaign(self, group: Group, **keys: KVValue) -> T:
        """Load a campaign group."""
        return self._send("LoadCampaign", _group(group), keys)

    def start_dialing(self, group: Group, **keys: KVValue) -> T:
        """Start a campaign group: its records are handed out."""
        return self._send("StartDialing", _group(group), keys)

    def stop_dialing(self, group: Group, **keys: KVValue) -> T:
        """Stop a campaign group; it stays loaded."""
        return self._send("StopDialing", _group(group), keys)

    def unload_campaign(self, group: Group, **keys: KVValue) -> T:
        """Unload a campaign group that is stopped."""
        return self._send("UnloadCampaign", _group(group), keys)

    def force_unload_campaign(self, group: Group, **keys: KVValue) -> T:
        """Unload a campaign group whatever it does."""
        return self._send("ForceUnloadCampaign", _group(group), keys)

    def set_dialing_mode(self, group: Group, mode: str, **keys: KVValue) -> T:
        """Change the dial mode of a campaign group."""
        return self._send("SetDialingMode", {**_group(group), "GSW_CAMPAIGN_MODE": mode}, keys)


def _group(group: Group) -> dict[str, KVValue]:
    return {"GSW_CAMPAIGN_GROUP_DBID": group} if isinstance(group, int) else {"GSW_CAMPAIGN_NAME": group}


def _target(handle: int | None, phone: str | None, customer_id: str | None) -> dict[str, KVValue]:
    given = {"GSW_RECORD_HANDLE": handle, "GSW_PHONE": phone, "GSW_CUSTOMER_ID": customer_id}
    named: dict[str, KVValue] = {key: value for key, value in given.items() if value is not None}
    if not named:
        raise ValueError("name a handle, a phone or a customer id")
    return named
