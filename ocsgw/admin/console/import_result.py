"""How far an import has come, and what became of the rows."""

from urllib.parse import urlencode

from ocsgw.admin.console.import_form import in_words_of_the_form
from ocsgw.admin.console.layout import Visitor, form, note, section, token_field
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.imports.kept_files import KeptFile
from ocsgw.admin.imports.run import ImportRun

NAMES = ("added", "updated", "replaced", "skipped", "refused")
_MOST_REASONS = 20


def progress_section(kept: KeptFile, run: ImportRun, visitor: Visitor) -> Markup:
    """Return the state of a run with its figures; once it is over, with what became of the rows."""
    if run.is_under_way:
        stop = form("/import", visitor, "Stop", do="stop", file=kept.key)
        return section("progress", _title(run), _bar(run), _figures(run), stop)
    parts: list[Child] = [_outcome(run), _figures(run)]
    if run.counts or run.reasons:
        parts += [_mended(run), _reasons(run), _verdicts(kept, run)]
    if run.number is not None and not run.job.dry_run:
        parts.append(_undo(run, visitor))
    if run.is_complete:
        parts.append(form("/import", visitor, "Done", title=f"Done with {kept.name}", do="discard", file=kept.key))
    # The script asks for the whole page again when it sees that the work is over.
    return section("progress", _title(run), el("div", *parts, data_over=""))


def _title(run: ImportRun) -> str:
    what = "Trial" if run.job.dry_run else "Import"
    return f"{what}: {run.state}" if run.number is None else f"{what} {run.number}: {run.state}"


def _bar(run: ImportRun) -> Markup:
    value = f"{run.progress.done:.3f}"
    return el("progress", f"{run.progress.done:.0%}", max=1, value=value, aria_label="Part of the file that was read")


def _figures(run: ImportRun) -> Markup:
    progress = run.progress
    seconds = max((progress.ended if progress.ended is not None else run.clock()) - progress.began, 1e-3)
    facts = [("Rows", f"{sum(run.counts.values()):,}")]
    facts += [(name.capitalize(), f"{run.counts[name]:,}") for name in NAMES]
    facts.append(("Rows per second", f"{progress.rows / seconds:,.0f}"))
    if run.is_under_way and 0 < progress.done < 1:
        facts.append(("Seconds left", f"{seconds * (1 - progress.done) / progress.done:,.0f}"))
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts), class_="facts")


def _outcome(run: ImportRun) -> Markup:
    reason = in_words_of_the_form(run.reason)
    if run.state == "done" and run.job.dry_run:
        return note("Nothing was changed. This is what an import would do.")
    if run.state == "done":
        return note("The file is imported.")
    if run.state == "imported before":
        return note("Nothing was changed: this file has been imported before in the same way.", "bad")
    if run.state == "stopped":
        return note("Stopped. The same import goes on behind the rows that are stored.", "bad")
    if run.number is not None:
        reason += ". The same import goes on behind the rows that are stored"
    return note(f"{reason}.", "bad")


def _mended(run: ImportRun) -> Markup | None:
    words = {"skipped": "rows with nothing but separators left out", "filled": "rows shorter than the first one filled"}
    found = [f"{words[name]}: {count}" for name, count in run.mended.items() if count]
    return el("p", "; ".join(found), class_="soft") if found else None


def _reasons(run: ImportRun) -> Markup | None:
    if not run.reasons:
        return None
    rows: list[tuple[Child, ...]] = [
        (count, name, in_words_of_the_form(reason)) for (name, reason), count in run.reasons.most_common(_MOST_REASONS)
    ]
    more = len(run.reasons) - len(rows)
    rest = el("p", f"and {more} further reasons", class_="soft") if more > 0 else None
    return join(el("h3", "By reason"), table("Rows by reason", ("Rows", "Verdict", "Reason"), rows), rest)


def _verdicts(kept: KeptFile, run: ImportRun) -> Markup:
    rows: list[tuple[Child, ...]] = [(each.number, each.name, in_words_of_the_form(each.reason)) for each in run.shown]
    shown = table("Verdicts by row", ("Row", "Verdict", "Reason"), rows, "Every row is simply added.")
    count = sum(run.reasons.values())
    link = None
    if count:
        text = f"All {count:,} verdicts as a CSV file" if count != 1 else "The verdict as a CSV file"
        link = el("p", el("a", text, href=f"/verdicts?{urlencode({'file': kept.key})}"))
    return join(el("h3", "By row"), link, shown)


def _undo(run: ImportRun, visitor: Visitor) -> Markup:
    return el(
        "form",
        token_field(visitor),
        el("input", type="hidden", name="do", value="undo"),
        el("input", type="hidden", name="number", value=str(run.number)),
        el("label", "Reason, for the audit log", el("input", name="reason", required=True, maxlength=200)),
        el("button", f"Take import {run.number} back"),
        method="post",
        action="/lists" if run.job.calling_list is not None else "/do-not-call",
        class_="stack",
    )
