"""The rules: records, chains, do-not-call, windows and time zones.

Pure: no I/O, no clock, no SQL. A rule is a function from a transaction, a run of requests of one kind and the time to
replies (docs/architecture.md).
"""
