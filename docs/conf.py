"""How the pages become HTML: `make html`."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[1]

project = "ocsgw"
author = "the ocsgw authors"
release = re.findall(r'VERSION = "(.*)"', (_ROOT / "ocsgw" / "version.py").read_text(encoding="utf-8"))[0]
version = release

extensions = ["myst_parser"]
myst_heading_anchors = 4
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples", "_build"]
# Some pages are read in the checkout, too, where links go to files of it.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

html_theme = "alabaster"
html_theme_options = {"description": "Outbound Contact Server with its HTTP Proxy", "page_width": "70rem"}
# Nothing is fetched from elsewhere when a page is read.
html_show_sourcelink = False
html_copy_source = False
