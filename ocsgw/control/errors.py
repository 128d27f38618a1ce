"""What can go wrong between `ocsctl` and a running OCS; each text says why and what to do."""


class ControlError(Exception):
    """A command was not carried out. The server raises it to refuse a command; the client raises its subclasses."""


class RefusedError(ControlError):
    """The server refuses the command; the text is the server's."""


class InvalidConfigurationError(ControlError):
    """The configuration has errors, which the text lists; nothing was changed."""


class UnreachableError(ControlError):
    """There is no server at the control socket, or it does not let this user in."""


class LostError(ControlError):
    """The connection ended before the answer came; the command may have been carried out or not."""


class NoAnswerError(ControlError):
    """The server gives no answer in time; the command may have been carried out or not."""


class MismatchError(ControlError):
    """The server answers in a form that this version does not know."""
