"""The HTTP Proxy: the child process that owns one HTTP port and translates HTTP to key-values and back.

It holds no store, no rules, no configuration file and no log file (README.md of the specification, R11 to R29).
"""
