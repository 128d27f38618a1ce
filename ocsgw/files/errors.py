"""Why a file cannot be read as it was asked for."""


class FileError(Exception):
    """A file cannot be read; the text says where, why and what to do, and names options as `ocsctl` has them."""


class FileOptionError(FileError):
    """What was said about a file is not valid in itself."""
