"""The control socket: what `ocsctl` may ask of a running OCS, both ends."""
