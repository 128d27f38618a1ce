"""HTTP/1.1: bytes of a client into exchanges, answers into bytes."""
