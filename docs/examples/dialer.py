"""A dialer: fetches records of a campaign group, calls them, reports what came of it."""

import sys

from ocsgw.client import Answer, CallOutcome, HttpClient, dial


def call(record: Answer) -> CallOutcome:
    """Place a call; here is your telephony. A busy number is called again tomorrow morning."""
    print("calling", record.phone)
    if str(record.phone).endswith("9"):
        return CallOutcome("Busy", again_at="12/24/2036 09:00")
    return CallOutcome("Answer")


if __name__ == "__main__":
    url, group = sys.argv[1:3]
    tally = dial(HttpClient(url), int(group), call, most=100)
    print(f"{tally.calls} calls: {dict(tally.results)}")
