"""A server for tests: the product itself with a virtual clock, faults to order, and a record of all traffic.

`ocsgw sandbox` starts it; `ocsgw_sandbox` is a fixture of pytest (docs/sandbox.md).
"""
