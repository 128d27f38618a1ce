"""HTTP calls that HTTP Proxy makes on behalf of OCS (outgoing.md)."""
