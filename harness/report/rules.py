"""The table of rules that ``--executor-list-rules`` prints."""

from __future__ import annotations

from harness.specs import load_drafts, load_rules

_WIDTH = 100


def rule_lines() -> list[str]:
    """A line for every rule, and one for every draft."""
    lines = []
    for rule in load_rules().values():
        kinds = ",".join(rule.kinds)
        lines.append(f"{rule.id:<9} {rule.level:<7} {kinds:<36} {_short(rule.promise)}")
    lines.append("")
    lines.append("drafts, not tested yet:")
    return lines + [
        f"{draft.working_name:<9} {draft.level:<7} {_short(draft.promise)}"
        for draft in load_drafts().values()
    ]


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
