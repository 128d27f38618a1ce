"""Rows that a table of the site refuses at the commit: the fault stays with its request (constants.md K16)."""

from functools import partial
from typing import Any

from ocsgw.audit.recorder import not_audited
from ocsgw.contact.backlog import Backlog
from ocsgw.contact.batch import Outcome, execute
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job, Store
from ocsgw.execution.pace import Pace
from ocsgw.execution.pipelining import Sent
from ocsgw.execution.transactions import Transactions
from ocsgw.operations.parts import in_parts
from ocsgw.operations.steps import carry_out
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.store.errors import UndoneTransactionError
from tests.store.test_postgresql_pipelined import PipelinedTestCase
from tests.support.postgresql_rules import BesideOthers, OnPostgreSQL
from tests.support.rules import NOW, RuleTestCase, add_record, pending
from tests.support.workers import InlineWorker

_SAID = "Calling list CL_Test does not accept the record: "
# Statements that have the table refuse the contact 'taken' at the commit, and what is said then.
_RAISING = (
    "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.contact_info = 'taken' THEN {what}"
    " END IF; RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {table}"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()"
)
_RAISE = "RAISE EXCEPTION 'no 6505550100 here';"
_TAKEN_ONCE = (
    "ALTER TABLE CL_Test ALTER contact_info TYPE text, ADD CONSTRAINT one EXCLUDE USING btree (contact_info WITH =)"
    " WHERE (contact_info = 'taken') DEFERRABLE INITIALLY DEFERRED;"
    " INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (900, 'taken', 900, 0)"
)
_KNOWN_ONLY = (
    "CREATE TABLE numbers (contact text PRIMARY KEY); INSERT INTO numbers VALUES ('1'), ('2'), ('3');"
    " ALTER TABLE CL_Test ADD CONSTRAINT known FOREIGN KEY (contact_info) REFERENCES numbers"
    " DEFERRABLE INITIALLY DEFERRED"
)
_DEFERRED = (
    (_RAISING.format(table="CL_Test", what=_RAISE), "a trigger: no *** here"),
    (_RAISING.format(table="CL_Test", what="PERFORM 1 / 0;"), "division by zero"),
    (_TAKEN_ONCE, "constraint one"),
    (_KNOWN_ONLY, "constraint known"),
)


def _transactions(store: Store) -> Transactions:
    """Return what carries batches out in a store."""
    return Transactions(
        store,
        not_audited,
        lambda tx, directory: UnitOfWork(tx, NOW, directory, new_guid=lambda: "G" * 32),
        Backlog(),
        Pace(),
        others_serve=False,
    )


class DeferredTests(RuleTestCase):
    """A foreign key of a file that is checked at the commit, in a connection that checks such keys at all."""

    deferred: tuple[tuple[str, str], ...] = (("", "FOREIGN KEY constraint failed"),)

    def forbid(self, statement: str) -> None:
        """Begin anew; the table refuses the contact 'taken' from now on."""
        self.use_directory(self.make_directory())
        self.store.sql("CREATE TABLE known (contact TEXT PRIMARY KEY)")
        self.store.sql("CREATE TABLE seen (contact TEXT REFERENCES known (contact) DEFERRABLE INITIALLY DEFERRED)")
        self.store.sql(
            "CREATE TRIGGER late AFTER INSERT ON CL_Test WHEN new.contact_info = 'taken'"
            " BEGIN INSERT INTO seen VALUES (new.contact_info); END"
        )
        self.store.store._needed().change("PRAGMA foreign_keys = ON")

    def answers(self, *requests: PendingRequest) -> list[str]:
        """Return the texts of refusals of requests that were handed in together, empty for what was acknowledged."""
        committer = Committer(
            self.store.store,
            InlineWorker(),
            self.directory,
            self.clock,
            lambda: self.now,
            origin="one" if isinstance(self, BesideOthers) else "",
        )
        outcomes: list[Outcome] = []
        for each in requests:
            committer.submit(Job(each, outcomes.append))
        self.clock.advance(0)
        return [
            f"{each.reply.status} {each.reply.text}" if isinstance(each.reply, Refusal) else "" for each in outcomes
        ]

    def contacts(self) -> list[object]:
        """Return the contacts that requests have stored."""
        return [row["contact_info"] for row in self.store.rows("CL_Test") if row["record_id"] != 900]

    def test_batch(self) -> None:
        """The transaction is undone; its requests are carried out one by one, and only the one refused gets 409."""
        for statement, reason in self.deferred:
            self.forbid(statement)
            data = [add_record(each) for each in ("1", "taken", "2")]
            error = self.assertRaises(UndoneTransactionError, self.outcomes, *data)
            self.assertEqual(str(error), f"CL_Test: {reason}")
            self.assertEqual(self.contacts(), [])
            for _ in range(2):
                self.assertEqual(self.answers(pending(data[1])), [f"409 {_SAID}{reason}"])
            self.assertEqual(self.answers(*map(pending, data)), ["", f"409 {_SAID}{reason}", ""])
            self.assertEqual(self.contacts(), ["1", "2"])
            self.assertEqual(self.answers(pending(add_record("3"))), [""])
            self.assertEqual(self.contacts(), ["1", "2", "3"])
            (report,) = self.store.reports
            self.assertIn(reason, report)
            self.assertNotIn("6505550100", report)

    def test_keys(self) -> None:
        """What is refused keeps no answer under its key: it is carried out anew; its neighbours are repeated."""

        def keyed(phone: str) -> PendingRequest:
            return pending(add_record(phone), key=f"key {phone}", keep_for=60)

        statement, reason = self.deferred[0]
        self.forbid(statement)
        for _ in range(2):
            said = self.answers(keyed("1"), keyed("taken"), keyed("2"))
            self.assertEqual(said, ["", f"409 {_SAID}{reason}", ""])
        self.assertEqual(self.contacts(), ["1", "2"])
        self.assertEqual([row["key"] for row in self.store.rows("ocsgw_idempotency", "key")], ["key 1", "key 2"])


class PostgreSQLDeferredTests(OnPostgreSQL, DeferredTests):
    """Constraints and constraint triggers of a database that are checked at the commit."""

    deferred = _DEFERRED

    def forbid(self, statement: str) -> None:
        """Begin anew; the table refuses the contact 'taken' from now on."""
        self.use_directory(self.make_directory())
        self.store.sql(statement)

    def test_do_not_call(self) -> None:
        """The do-not-call table refuses an entry at the commit."""
        self.forbid(_RAISING.format(table="gsw_donotcall_list", what=_RAISE).replace("contact_info", "phone"))
        request: KV = {"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": "taken"}
        (said,) = self.answers(pending(request))
        self.assertEqual(said, "409 " + Refusal("refused_by_dnc_table", "a trigger: no *** here").text)

    def test_import(self) -> None:
        """A row of an import that would be refused at the commit gets its verdict, and the others are stored."""
        transactions = _transactions(self.store.store)

        def operation(name: str, **arguments: Any) -> Any:
            function = partial(carry_out, name=name, arguments=arguments)
            return transactions.carry_out_chore(function, self.directory, 1.0, alone=True)[1]

        for statement, reason in self.deferred:
            self.forbid(statement)
            transactions = _transactions(self.store.store)
            common = {"fingerprint": "f", "file": "f.csv", "calling_list": "CL_Test", "header": ["GSW_PHONE"]}
            operation("begin import", **common)
            result = operation("import", **common, first=0, parts=in_parts([["1"], ["taken"], ["2"]]), last=True)
            self.assertEqual(result["verdicts"], [(1, "refused", f"the table refuses the row: {reason}")])
            self.assertEqual(self.contacts(), ["1", "2"])

    def test_own_tables(self) -> None:
        """What our own tables refuse is no fault of a request."""
        self.forbid("ALTER TABLE ocsgw_outbox ADD CONSTRAINT none CHECK (record_id < 0)")
        self.assertEqual(self.answers(pending(add_record()))[0][:3], "503")
        self.forbid(
            "CREATE TABLE numbers (id bigint PRIMARY KEY); ALTER TABLE ocsgw_outbox"
            " ADD FOREIGN KEY (record_id) REFERENCES numbers DEFERRABLE INITIALLY DEFERRED"
        )
        self.assertEqual(self.answers(pending(add_record()))[0][:3], "503")


class SharedDeferredTests(BesideOthers, PostgreSQLDeferredTests):
    """The same beside other servers."""


class PipelinedTests(PipelinedTestCase):
    """A batch whose statements were sent in one message."""

    def test_carried_out_again(self) -> None:
        """It is carried out again once, in the usual way, which finds out whose fault it is."""
        engine = self.opened()
        self.sql(_RAISING.format(table='"CL_Test"', what=_RAISE))
        transactions = _transactions(engine)
        for last in ("2", "3"):
            batch = self.pipeline(engine).begin()
            assert batch is not None
            jobs = [Job(pending(add_record(each)), lambda outcome: None) for each in ("1", "taken", last)]
            unit = self.unit(batch.tx)
            outcomes = execute(unit, [job.pending for job in jobs], lambda pending, error: self.fail(repr(error)))
            unit.store_outbox()
            self.assertTrue(batch.send())
            self.assertFalse(self.landed(batch))
            result = transactions.settle(Sent(jobs, batch, unit, outcomes, lambda: 0.0), self.directory, 1.0)
            codes = [each.reply.code if isinstance(each.reply, Refusal) else "" for each in result.outcomes]
            self.assertEqual((codes, result.failure), (["", "refused_by_table", ""], None))
        self.assertEqual([contact for _, contact in self.stored()], ["1", "2", "1", "3"])
        # The next one goes on its way again.
        self.assertTrue(self.landed(self.sent(engine, add_record("4"))))
