"""How far a connection is, and why nothing is read from it."""

from enum import Enum, Flag


class State(Enum):
    """How far a connection is."""

    # Requests are taken.
    READING = 1
    # The last request is known; what still comes is counted and dropped (H11).
    ENDING = 2
    # Everything has been said; the client may take it and go.
    CLOSING = 3
    GONE = 4


class Hold(Flag):
    """Why nothing is read from the client for the moment."""

    NOTHING = 0
    # As many requests are in work as may be (H3).
    PIPELINE = 1
    # It is the turn of other clients.
    TURN = 2
    # The client does not take its answers (H31).
    UNTAKEN = 4
    # It goes on sending what nobody reads (H11).
    DROPPED = 8
