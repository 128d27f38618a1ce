"""The parent process, OCS: composition, link, dispatch, supervision and shutdown."""
