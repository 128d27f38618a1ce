"""The tables of raw requests over real sockets, through both processes to the store."""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import shared_server
from tests.proxy.conformance.rows import LIMITS, NEXT
from tests.proxy.test_conformance import ROWS

_SETTINGS = "\n".join(["[limits]", *(f"{name} = {value}" for name, value in LIMITS.items()), ""])
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z -]+\r\n").findall


class ConformanceTests(SynchronousTestCase):
    """RFC 9110, RFC 9112 and http.md sections 1, 2 and 4."""

    def test_rows(self) -> None:
        """H2, H11, H12: each row with a request behind it, then a half-close: every answer arrives, then the end."""
        server = shared_server(more=_SETTINGS)
        failures = []
        for row in ROWS:
            # A body that is there already needs no invitation (RFC 9110 section 10.1.1).
            expected = [status for status in row.statuses if status != 100] + [200] * bool(row.stays)
            raw = row.raw + NEXT if row.stays is not None else row.raw
            try:
                statuses: object = [int(status) for status in _STATUS(server.exchange(raw)) if status != b"100"]
            except OSError as error:
                statuses = error
            if statuses != expected:
                failures.append(f"{row!r}: {statuses}, not {expected}")
        self.assertEqual(failures, [])

    def test_pipeline(self) -> None:
        """H3, P72: a thousand pipelined requests through both processes are answered in their order."""
        server = shared_server(more=_SETTINGS)
        targets = [b"POST /phones/%d?req=DoNotCall HTTP/1.1" % number for number in range(1000)]
        stream = b"".join(NEXT.replace(NEXT.partition(b"\r\n")[0], line) for line in targets)
        answers = server.exchange(stream)
        self.assertEqual(re.findall(rb'"GSW_PHONE":"([0-9]+)"', answers), [b"%d" % number for number in range(1000)])
