"""Answers larger than a frame, and many that are larger than what may wait on the link: whole processes."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import Server, make_server

_COLUMNS = "record_id, contact_info, contact_info_type, record_type, record_status, chain_id, chain_n, remarks"


class LargeAnswerTests(SynchronousTestCase):
    """One request fails, or waits; the proxy, its link and all other clients go on."""

    def with_chain(self, length: int) -> tuple[Server, int]:
        """Return a server with a chain of so many records in process, and the handle of its first record."""
        server = make_server(self).start()
        server.write(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            f" INSERT INTO CL_Test ({_COLUMNS}) SELECT i, 6505000000 + i || '', 0, 2, 1, 1, i - 1, ? FROM n",
            length,
            "r" * 100,
        )
        handed_out = server.post("/campaigngroups/102?req=PreviewRecordRequest")
        self.assertEqual(handed_out.status, 200, handed_out.body)
        return server, handed_out.json["GSW_RECORD_HANDLE"]

    def assert_goes_on(self, server: Server, child: int) -> None:
        """Check that the same proxy serves, and nothing was lost."""
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        self.assertEqual(server.child_pid, child)
        self.assertNotIn(" 93004 ", server.log())
        self.assertNotIn(" 93006 ", server.log())

    def test_larger_than_a_frame(self) -> None:
        """P64: the request gets an error of its own, the hand-out stays as it is, and can be finished."""
        server, handle = self.with_chain(6000)
        child = server.child_pid
        answer = server.post(f"/records/{handle}?req=ChainedRecordRequest")
        self.assertEqual((answer.status, answer.json["GSW_ERROR"]), (500, "Answer is too large"))
        self.assert_goes_on(server, child)
        done = server.post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": 33})
        self.assertEqual(done.status, 200, done.body)

    def test_many_large_ones_at_once(self) -> None:
        """24 pipelined requests for 800 KB each: all are answered, without OCS holding all answers at once."""
        server, handle = self.with_chain(1300)
        child = server.child_pid
        request = f"POST /records/{handle}?req=ChainedRecordRequest HTTP/1.1\r\nHost: x\r\n".encode()
        raw = (request + b"\r\n") * 23 + request + b"Connection: close\r\n\r\n"
        answers = server.exchange(raw)
        self.assertEqual(answers.count(b"HTTP/1.1 200 "), 24)
        self.assertGreater(len(answers), 24 * 700_000)
        self.assert_goes_on(server, child)
        for line in Path(f"/proc/{server.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                self.assertLess(int(line.split()[1]) / 1024, 400)
