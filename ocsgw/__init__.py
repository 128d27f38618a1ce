"""ocsgw: an open Outbound Contact Server with its HTTP Proxy."""
