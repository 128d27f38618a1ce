"""An agent desktop on Twisted: logs in, shows what OCS sends, works on records as they come."""

import sys

from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString
from twisted.internet.task import react

from ocsgw.client import Answer, OcsClient


async def work(record: Answer, client: OcsClient) -> None:
    """Show a record, talk to the customer, report the result."""
    print("record", record.handle, record.phone)
    chain = await client.chained_records(record.handle)
    print("other numbers:", [part["GSW_PHONE"] for part in chain.parts])
    await client.processed(record.handle, "Answer")
    print("done")


async def main(_: object, server: str, agent_id: str, campaign: str) -> None:
    """Log in, take one record, log out."""
    client = OcsClient(reactor, [clientFromString(reactor, server)], agent_id=agent_id)
    client.on("CampaignStarted", lambda event: print("started:", event.data["GSW_CAMPAIGN_GROUP_NAME"]))
    client.on("RecordCancel", lambda event: print("cancelled:", event.handle))
    client.on("ScheduledCall", lambda event: print("a callback of yours is due:", event.phone))
    client.startService()
    await client.when_connected()
    record = await client.preview(campaign)
    if record.is_record:
        await work(record, client)
    else:
        print("nothing to call")
    await client.log_out()
    await client.stopService()


if __name__ == "__main__":
    react(main, sys.argv[1:4])
