"""Copies a whole store into another one, of whatever engine: every record, entry, handle and number, verified."""
