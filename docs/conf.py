"""How the pages become HTML, `make html`, and those of `man/` manual pages: `make man`."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]

project = "ocsgw"
author = "the ocsgw authors"
release = re.findall(r'VERSION = "(.*)"', (_ROOT / "ocsgw" / "version.py").read_text(encoding="utf-8"))[0]
version = release

extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
# Quotes are those of the text: many stand in something that has to be typed.
smartquotes = False
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples", "_build"]
# Some pages are read in the checkout, too, where links go to files of it.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

html_theme = "alabaster"
html_theme_options = {"description": "Outbound Contact Server with its HTTP Proxy", "page_width": "70rem"}
# Nothing is fetched from elsewhere when a page is read.
html_show_sourcelink = False
html_copy_source = False

# Nothing in a manual page changes by itself.
today = "November 2026"
man_pages = [
    ("man/ocsgw", "ocsgw", "Outbound Contact Server with its HTTP Proxy", [], 8),
    ("man/ocsctl", "ocsctl", "status and control of an Outbound Contact Server, and its lists", [], 8),
    ("man/ocsgw.toml", "ocsgw.toml", "configuration of the Outbound Contact Server ocsgw", [], 5),
]
