"""Control of a running OCS: the socket that `ocsctl` talks to."""
