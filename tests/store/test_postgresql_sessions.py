"""Sessions of PostgreSQL that are cancelled, or cannot be made ready, while batches go over them."""

import contextlib
from typing import Any
from unittest.mock import Mock

from psycopg.pq import DiagnosticField, ExecStatus

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.postgresql.connection import Connection
from tests.store.test_postgresql_pipelined import PATIENCE, PipelinedTestCase
from tests.support.rules import add_record


def cancelled() -> Any:
    """Return the answer of a session that was cancelled."""
    fields = {DiagnosticField.SQLSTATE: b"57014", DiagnosticField.SEVERITY_NONLOCALIZED: b"ERROR"}
    answer = Mock(status=ExecStatus.FATAL_ERROR)
    answer.error_field = fields.get
    answer.get_error_message.return_value = "canceling statement due to statement timeout"
    return answer


class SessionTests(PipelinedTestCase):
    """Nothing is stored twice, and nobody waits for ever."""

    def test_cancelled_behind_the_commit(self) -> None:
        """A session that is cancelled when it has just committed answers once more; that says nothing of the batch."""
        engine = self.opened()
        batch = self.sent(engine, add_record("1"), add_record("2"))
        exchange = batch._connection.exchange
        proceed = exchange.proceed

        def proceed_and_cancel() -> bool:
            is_done = proceed()
            if is_done:
                exchange._answers.append(cancelled())
            return is_done

        self.patch(exchange, "proceed", proceed_and_cancel)
        self.assertFalse(self.landed(batch))
        self.assertTrue(batch.settle(PATIENCE))
        self.assertEqual(self.stored(), [(1, "1"), (2, "2")])
        self.assertTrue(self.landed(self.sent(engine, add_record("3"))))

    def test_cancelled_in_between(self) -> None:
        """Where a statement is cancelled it is found out that nothing was changed."""
        engine = self.opened()
        with self.held():
            batch = self.sent(engine, add_record("1"))
            self.sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            self.assertFalse(self.landed(batch))
        self.assertFalse(batch.settle(PATIENCE))
        self.assertEqual(self.stored(), [])
        self.assertTrue(self.landed(self.sent(engine, add_record("2"))))

    def test_settings_that_cannot_be_made(self) -> None:
        """A writer whose session cannot be made ready has no connection; nothing is asked where a batch begins."""
        engine = self.opened()
        pipeline = self.pipeline(engine)
        for writer in pipeline._writers:
            writer.disconnect()
        asked: list[str] = []
        for name in ("setting", "beginning"):
            with contextlib.ExitStack() as stack:
                patch = self.patch(Connection, name, lambda *_, name=name: self._fail_to_ask(asked, name))
                stack.callback(patch.restore)
                pipeline.prepare(PATIENCE)
                self.assertIsNone(pipeline.begin())
                self.assertEqual([writer.connection for writer in pipeline._writers], [None, None])
                self.assertEqual([writer.watchdog._descriptor for writer in pipeline._writers], [None, None])
        self.assertEqual(asked, ["setting", "beginning"])
        pipeline.prepare(PATIENCE)
        self.assertTrue(self.landed(self.sent(engine, add_record("1"))))

    def _fail_to_ask(self, asked: list[str], name: str) -> None:
        asked.append(name)
        raise StoreFailureError(name)
