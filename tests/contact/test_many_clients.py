"""Many preview clients on one list (http.md H273, H277).

`make test` hands out some records, `make soak` 100,000: OCSGW_PREVIEW_RECORDS in the environment is their number.
"""

import os
import random
from typing import Any

from ocsgw.protocol.messages import KV
from tests.support.rules import RuleTestCase, by_handle, preview_record

RECORDS = int(os.environ.get("OCSGW_PREVIEW_RECORDS", "2000"))
CLIENTS = 32


class ManyClientsTests(RuleTestCase):
    """32 clients pull records from one list and finish them."""

    def fill(self) -> list[tuple[int, ...]]:
        """Add records, every tenth with a second contact; return the order in which they have to come."""
        self.store.sql(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
            " INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, record_type, record_status, call_result,"
            " attempt, call_time, dial_sched_time, daily_from, daily_till, tz_dbid) SELECT n, n, n, 0, 2, 1, 28, 0,"
            " (n * 7919) % 1009, CASE WHEN n % 3 = 0 THEN 1 + (n * 104729) % 1009 ELSE 0 END, 0, 86399 - n % 4, 101"
            " FROM n",
            RECORDS,
        )
        self.store.sql(
            "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, record_type, record_status)"
            " SELECT record_id + ?, 'second', chain_id, 1, 2, 9 FROM CL_Test WHERE record_id % 10 = 0",
            RECORDS,
        )
        rows = self.store.sql("SELECT dial_sched_time, call_time, record_id FROM CL_Test WHERE chain_n = 0")
        return sorted((0, row[0], row[2]) if row[0] else (1, row[1], row[2]) for row in rows)

    def test_each_record_once(self) -> None:
        """H273, H277: no record is handed out twice, none is lost, and they come in the order of the rules."""
        order = [place[-1] for place in self.fill()]
        # The same clients in the same mood each time.
        dice = random.Random(7)
        handed_out: list[int] = []
        held: list[Any] = []
        idle, is_over = CLIENTS, False
        while held or not is_over:
            pulls = dice.randint(0, idle) if not is_over else 0
            done = [held.pop(dice.randrange(len(held))) for _ in range(dice.randint(0, len(held)))]
            requests: list[KV] = [preview_record() for _ in range(pulls)]
            requests += [by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33) for handle in done]
            dice.shuffle(requests)
            self.store.now += 1
            for event in self.replies(*requests):
                if event["GSW_USER_EVENT"] == "PreviewRecord":
                    handed_out.append(int(str(event["GSW_PHONE"])))
                    held.append(event["GSW_RECORD_HANDLE"])
                elif event["GSW_USER_EVENT"] == "PreviewRecordEmpty":
                    is_over = True
                else:
                    self.assertEqual(event["GSW_USER_EVENT"], "RecordProcessedAcknowledge")
            idle = CLIENTS - len(held)
        self.assertEqual(handed_out, order)
        counts = self.store.sql("SELECT chain_n, record_status, attempt, count(*) FROM CL_Test GROUP BY 1, 2, 3")
        self.assertEqual(counts, [(0, 3, 1, RECORDS), (1, 7, None, RECORDS // 10)])
        self.assertEqual(self.store.sql("SELECT count(*) FROM ocsgw_handle"), [(0,)])
