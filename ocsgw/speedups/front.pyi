"""The way of a usual request through HTTP Proxy."""

SOURCES: str
