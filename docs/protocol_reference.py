"""Writes the table of requests in docs/protocol.md from that of the program: `make reference`."""

from pathlib import Path

from ocsgw.protocol.requests import IDENTIFIER_KEYS, REQUESTS, RequestType

_MARK = "<!-- requests -->\n"
_HEAD = "| request | final event | desktop | third-party | keys |\n| --- | --- | --- | --- | --- |\n"


def _keys(row: RequestType) -> str:
    if row.resources:
        identifiers = " or ".join(f"`{IDENTIFIER_KEYS[each]}`" for each in row.resources)
        return f"{identifiers}; [as over HTTP](http.md)"
    named = [f"**`{each.key}`**" if each.mandatory else f"`{each.key}`" for each in row.keys]
    return ", ".join(named) or "none"


def updated(page: str) -> str:
    """Return the page with the table of the program."""
    before, _, after = page.partition(_MARK)
    rows = [
        f"| `{row.name}` | {', '.join(f'`{event}`' for event in row.success)} |"
        f" {'yes' if 'desktop' in row.clients else '-'} | {'yes' if 'third_party' in row.clients else '-'} |"
        f" {_keys(row)} |\n"
        for row in REQUESTS.values()
        # Some are asked by HTTP Proxy alone.
        if row.clients & {"desktop", "third_party"}
    ]
    rest = after.lstrip("\n")
    while rest.startswith("|"):
        rest = rest.partition("\n")[2]
    return before + _MARK + "\n" + _HEAD + "".join(rows) + "\n" + rest.lstrip("\n")


if __name__ == "__main__":
    path = Path(__file__).with_name("protocol.md")
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
