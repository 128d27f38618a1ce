"""The tables of our own that a new file gets. Generated from the migrations by `make schema`."""

SCRIPT = """\
CREATE TABLE ocsgw_alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT ocsgw_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ocsgw_alembic_version" VALUES('0012');
CREATE TABLE ocsgw_audit (
	id INTEGER NOT NULL,
	number BIGINT NOT NULL,
	mark TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE ocsgw_batch (
	writer TEXT NOT NULL,
	batch BIGINT NOT NULL,
	opened_at BIGINT NOT NULL,
	PRIMARY KEY (writer)
);
CREATE TABLE ocsgw_contact_form (
	rules BIGINT NOT NULL,
	country TEXT NOT NULL,
	contact TEXT NOT NULL,
	form TEXT NOT NULL,
	PRIMARY KEY (rules, country, contact)
);
CREATE TABLE ocsgw_counter (
	name TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE ocsgw_delivery (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	purpose TEXT NOT NULL,
	list_dbid INTEGER NOT NULL,
	chain_id INTEGER NOT NULL,
	written_at BIGINT NOT NULL,
	body TEXT NOT NULL
);
CREATE TABLE ocsgw_group (
	dbid INTEGER NOT NULL,
	state TEXT NOT NULL,
	dial_mode TEXT NOT NULL,
	guid TEXT NOT NULL, auto_complete BOOLEAN,
	PRIMARY KEY (dbid)
);
CREATE TABLE ocsgw_handle (
	handle INTEGER NOT NULL,
	handout_id BIGINT NOT NULL,
	list_dbid INTEGER NOT NULL,
	record_id INTEGER NOT NULL,
	prior_status INTEGER NOT NULL,
	guid TEXT NOT NULL,
	attempts_set INTEGER NOT NULL,
	status_set INTEGER,
	treatment TEXT, contact TEXT,
	PRIMARY KEY (handle)
);
CREATE TABLE ocsgw_handout (
	handout_id INTEGER NOT NULL,
	list_dbid INTEGER NOT NULL,
	chain_id INTEGER NOT NULL,
	record_id INTEGER NOT NULL,
	group_dbid INTEGER NOT NULL,
	agent_id TEXT NOT NULL,
	started_at BIGINT NOT NULL,
	timeout INTEGER NOT NULL,
	expires_at BIGINT NOT NULL,
	rescheduled TEXT NOT NULL, holders TEXT,
	PRIMARY KEY (handout_id)
);
CREATE TABLE ocsgw_idempotency (
	principal TEXT NOT NULL,
	"key" TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	event TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (principal, "key")
);
CREATE TABLE ocsgw_import (
	target TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	file TEXT NOT NULL,
	rows BIGINT NOT NULL,
	counts TEXT NOT NULL,
	started_at BIGINT NOT NULL,
	finished_at BIGINT, number BIGINT,
	PRIMARY KEY (target, fingerprint)
);
CREATE TABLE ocsgw_import_rows (
	number BIGINT NOT NULL,
	first_row BIGINT NOT NULL,
	rows BLOB NOT NULL,
	PRIMARY KEY (number, first_row)
);
CREATE TABLE ocsgw_lease (
	id INTEGER NOT NULL,
	epoch BIGINT NOT NULL,
	token TEXT NOT NULL,
	name TEXT NOT NULL,
	boot TEXT NOT NULL,
	expires_at DOUBLE NOT NULL,
	objects TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE ocsgw_news (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at BIGINT NOT NULL,
	origin TEXT NOT NULL,
	data TEXT NOT NULL
);
CREATE TABLE ocsgw_outbox (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	list_dbid INTEGER NOT NULL,
	chain_id INTEGER NOT NULL,
	record_id INTEGER NOT NULL,
	group_dbid INTEGER NOT NULL,
	handle BIGINT NOT NULL,
	data TEXT NOT NULL
);
CREATE TABLE ocsgw_spent_handle (
	handle INTEGER NOT NULL,
	event BLOB NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (handle)
);
CREATE TABLE ocsgw_standby (
	token TEXT NOT NULL,
	name TEXT NOT NULL,
	boot TEXT NOT NULL,
	ready_until DOUBLE NOT NULL,
	PRIMARY KEY (token)
);
CREATE TABLE ocsgw_turn (
	id INTEGER NOT NULL,
	PRIMARY KEY (id)
);
CREATE INDEX ocsgw_idempotency_expires_at ON ocsgw_idempotency (expires_at);
CREATE INDEX ocsgw_handout_expires_at ON ocsgw_handout (expires_at);
CREATE INDEX ocsgw_handout_group ON ocsgw_handout (group_dbid);
CREATE INDEX ocsgw_handle_handout ON ocsgw_handle (handout_id);
CREATE INDEX ocsgw_handle_record ON ocsgw_handle (list_dbid, record_id);
CREATE INDEX ocsgw_import_number ON ocsgw_import (number);
CREATE INDEX ocsgw_outbox_chain ON ocsgw_outbox (list_dbid, chain_id, record_id);
CREATE INDEX ocsgw_outbox_handle ON ocsgw_outbox (handle) WHERE handle > 0;
CREATE INDEX ocsgw_contact_form_form ON ocsgw_contact_form (rules, country, form);
"""
