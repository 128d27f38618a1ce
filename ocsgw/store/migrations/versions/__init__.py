"""Revisions of our own tables, which all have names that begin with `ocsgw_` (K15)."""
