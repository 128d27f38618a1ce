"""Stand-ins for those who are told what an engine of the store reports."""

from ocsgw.logs import MESSAGES


class Reports(list[str]):
    """Keeps the texts of reports."""

    def __call__(self, number: int, /, **fields: object) -> None:
        self.append(MESSAGES[number][1].format(**fields))


def unreported(number: int, /, **fields: object) -> None:
    """Take a report that nobody is interested in."""
