"""Which list a request concerns, where it concerns one: then its transaction need not touch another."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, cast

from ocsgw.contact.directory import Directory
from ocsgw.contact.normal_form import normal_contact, search_key
from ocsgw.contact.runs import kind_of
from ocsgw.contact.unit_of_work import PendingRequest, Reply
from ocsgw.protocol.messages import KV

# In place of the DBID of a list: a request that touches no list at all, or none that is configured.
NO_LIST: Final = 0
# Of so many handles is known whose they are; a further one forgets the one that was used longest ago.
_MOST_HANDLES = 65_536


def contact_of(pending: PendingRequest) -> str | None:
    """Return what requests have in common that name one contact; None for a request that names none."""
    phone = pending.data.get("GSW_PHONE")
    return search_key(normal_contact(phone)) if isinstance(phone, str) else None


class OneList:
    """Tells the list of requests, those by handle included whose handle an answer of this server has shown before.

    `directory` returns the configuration in use.
    """

    def __init__(self, directory: Callable[[], Directory]) -> None:
        self._directory = directory
        self._handles: OrderedDict[int, int] = OrderedDict()

    def of(self, pending: PendingRequest) -> int | None:
        """Return the DBID of the one list that a request concerns, `NO_LIST` without any.

        None: of several, or of one that only the store knows.
        """
        kind, data = kind_of(pending), pending.data
        if kind == "AddRecord" or (kind == "RequestRecordCancel" and "GSW_CALLING_LIST" in data):
            return self._of_handle(pending) if "GSW_CALLING_LIST" not in data else self._named(pending)
        if kind == "by handle":
            # DoNotCall concerns whatever record has the contact.
            return self._of_handle(pending) if pending.request.name != "DoNotCall" else None
        if kind == "PreviewRecordRequest":
            return self._of_group(pending)
        return NO_LIST if kind == "status" or (pending.request.reads and kind != "continued") else None

    def learn(self, reply: Reply) -> None:
        """Take from an answer whose handle it shows."""
        if isinstance(reply, dict):
            self._learn(reply)
            for each in cast("list[KV]", reply.get("GSW_CHAINED_RECORDS", ())):
                self._learn(each)
        elif isinstance(reply, list):
            for each in reply:
                self._learn(each)

    def _learn(self, event: KV) -> None:
        handle = event.get("GSW_RECORD_HANDLE")
        if isinstance(handle, int) and handle not in self._handles:
            calling_list = self._directory().list_named(event.get("GSW_CALLING_LIST"))
            if calling_list is not None:
                self._handles[handle] = calling_list.dbid
                if len(self._handles) > _MOST_HANDLES:
                    self._handles.popitem(last=False)

    def _named(self, pending: PendingRequest) -> int:
        calling_list = self._directory().list_named(pending.data["GSW_CALLING_LIST"])
        return calling_list.dbid if calling_list is not None else NO_LIST

    def _of_handle(self, pending: PendingRequest) -> int | None:
        handle = pending.data.get("GSW_RECORD_HANDLE")
        if not isinstance(handle, int):
            return NO_LIST
        known = self._handles.get(handle)
        if known is not None:
            self._handles.move_to_end(handle)
        return known

    def _of_group(self, pending: PendingRequest) -> int | None:
        directory, data = self._directory(), pending.data
        dbid = data.get("GSW_CAMPAIGN_GROUP_DBID")
        if dbid is not None:
            group = directory.group_by_dbid(dbid)
            campaign = group.campaign if group is not None else None
        else:
            campaign = directory.campaign_named(data.get("GSW_CAMPAIGN_NAME"))
        lists = campaign.calling_lists if campaign is not None else ()
        return None if len(lists) > 1 else lists[0].dbid if lists else NO_LIST
