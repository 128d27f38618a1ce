"""Rules about treatments and the limit of personal callbacks (section 11, C97, C98)."""

from typing import Final

from ocsgw.config.problems import alternatives, quoted
from ocsgw.config.sections import Section
from ocsgw.protocol.enumerations import CallResult

_NO_AGENT: Final = CallResult.AGENT_CALLBACK_ERROR.value
_USES: Final = {
    "interval": ("retry_in", "next_in_chain", "assign_to_group"),
    "increment": ("retry_in", "next_in_chain", "assign_to_group"),
    "at": ("retry_at",),
}
"""Keys and the actions that use them."""

_NEEDS: Final = {"retry_in": ("interval", 'interval = "15m"'), "retry_at": ("at", 'at = "2026-12-24 09:30"')}
_NOT_WITHOUT_CALL: Final = frozenset({"next_in_chain", "no_call"})


def check_treatments(document: Section) -> None:
    """Check what treatments need (C97), and warn of what has no effect (C98)."""
    treatments = document.tables("treatment")
    for treatment in treatments:
        if treatment.sound("action"):
            _check_action(treatment)
    lists = document.tables("calling_list")
    usable = [each for each in treatments if each.sound(*_DECISIVE)]
    if len(usable) < len(treatments) or not all(each.sound("name", "personal_callback_limit") for each in lists):
        return  # Warnings about the consequences of what is reported already are of no use.
    names = [each["name"] for each in lists]
    for treatment in usable:
        _warn_unreachable(treatment, usable, names)
    for options in document.tables("treatments"):
        _warn_without_treatment(options, lists, usable)


_DECISIVE: Final = ("name", "call_result", "calling_lists", "sequence", "action", "cycle_attempt", "max_attempts")


def _check_action(treatment: Section) -> None:
    action = treatment["action"]
    if action in _NEEDS:
        key, example = _NEEDS[action]
        if treatment.sound(key) and treatment[key] is None:
            treatment.problem(key, f"is missing for the action {quoted(action)}", f"add for example {example}")
    for key, actions in _USES.items():
        if key in treatment.given and action not in actions:
            treatment.warn(
                key,
                f"has no effect with the action {quoted(action)}",
                f"leave it out; it is for {alternatives(map(quoted, actions), 'and')}",
            )
    result = treatment["call_result"] if treatment.sound("call_result") else None
    if result == _NO_AGENT and action in _NOT_WITHOUT_CALL:
        treatment.problem(
            "action",
            f"{quoted(action)} cannot follow the call result {_NO_AGENT}, Agent CallBack Error",
            'nobody has been called; choose for example "assign_to_group" or "retry_in"',
        )


def _sequence(treatments: list[Section], call_result: int, calling_list: str) -> list[Section]:
    """Return the treatments of a list for a call result in their order (C90)."""
    fitting = [
        each
        for each in treatments
        if each["call_result"] == call_result
        and (each["calling_lists"] is None or calling_list in each["calling_lists"])
    ]
    return sorted(fitting, key=lambda each: int(each["sequence"]))


def _has_no_limit(treatment: Section) -> bool:
    return not treatment["cycle_attempt"] and not treatment["max_attempts"] and treatment["action"] != "retry_at"


def _warn_unreachable(treatment: Section, treatments: list[Section], lists: list[str]) -> None:
    """Warn of a treatment that comes after one without limit in each of its lists."""
    its_lists = treatment["calling_lists"] if treatment["calling_lists"] is not None else lists
    blockers: list[Section] = []
    for name in its_lists:
        sequence = _sequence(treatments, treatment["call_result"], name)
        before = sequence[: next(place for place, each in enumerate(sequence) if each is treatment)]
        endless = next((each for each in before if _has_no_limit(each)), None)
        if endless is None:
            return
        blockers.append(endless)
    if blockers:
        treatment.warn(
            "sequence",
            f"can never be applied, because {quoted(blockers[0]['name'])} before it has no limit",
            f"add cycle_attempt or max_attempts to {quoted(blockers[0]['name'])}, or change the sequence",
        )


def _warn_without_treatment(options: Section, lists: list[Section], treatments: list[Section]) -> None:
    """Warn of overdue callbacks for which nothing is arranged: such a record is done (H360)."""
    if not options.sound("personal_callback_limit"):
        return
    general = options["personal_callback_limit"]
    without = []
    for each in lists:
        own = each["personal_callback_limit"]
        if (general if own is None else own) and not _sequence(treatments, _NO_AGENT, each["name"]):
            without.append((each, own))
    hint = f"add a [[treatment]] with call_result = {_NO_AGENT}; without one the record is done"
    for each, own in without:
        if own is not None:
            each.warn("personal_callback_limit", f"has no treatment for call result {_NO_AGENT}", hint)
    inheriting = [quoted(each["name"]) for each, own in without if own is None]
    if inheriting:
        named = alternatives(inheriting, "and")
        message = f"has no treatment for call result {_NO_AGENT} in {named}"
        options.warn("personal_callback_limit", message, hint)
