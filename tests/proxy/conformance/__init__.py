"""Tables of raw requests: what RFC 9110, RFC 9112 and http.md want of each."""
