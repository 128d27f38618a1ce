"""What both ends of a connection between OCS and its clients have in common, whatever carries it."""
