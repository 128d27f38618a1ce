"""The `ocsctl` command: status and control of a running OCS, and work on its lists.

One module per family of commands; `add_commands` of each adds them to the command line.
"""
