"""Batches of requests become transactions: committer, worker, and the choice between reactor and thread."""
