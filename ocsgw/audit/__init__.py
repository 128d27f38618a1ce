"""The audit log: a chained file of changes, and what of a batch goes into it."""
