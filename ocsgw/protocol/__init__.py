"""The wire and its vocabulary: keys, requests, errors, frames and the session that carries them.

Pure: no I/O, no clock, no Twisted. Both processes use it (protocol.md).
"""
