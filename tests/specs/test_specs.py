"""The rules as data are clean, and the linter that says so is shown to see each kind of mistake."""

from __future__ import annotations

import inspect
import subprocess
import sys
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.specs import SpecsError, load_capabilities, load_drafts, load_rules, specs_root
from harness.specs_lint import lint, main
from harness.values.rule import ARENAS, DEATHS, KINDS, Level, Rule, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURES = Path(__file__).parent / "fixtures"
TREES = sorted(FIXTURES.iterdir())
TERMS = [*load_rules().values(), *load_drafts().values()]


def _name(tree: Path) -> str:
    return tree.name


def _squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("tree", TREES, ids=_name)
def test_each_mistake_gives_exactly_its_message(tree: Path) -> None:
    """A tree with one mistake gives the messages of its `expected.txt` and no others."""
    expected = (tree / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert lint(tree) == expected


def test_the_real_specs_are_clean() -> None:
    """The linter finds nothing in the specifications themselves."""
    assert lint(specs_root()) == []


def test_the_command_prints_the_problems_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints what `lint` returns for the tree it is given, and its status is 1."""
    status = main([str(FIXTURES / "bad-level")])
    assert capsys.readouterr().out == (FIXTURES / "bad-level" / "expected.txt").read_text(encoding="utf-8")
    assert status == 1


def test_the_command_is_silent_about_clean_specs(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an argument the command judges our own specifications, prints nothing and succeeds."""
    assert main([]) == 0
    assert capsys.readouterr().out == ""


def test_the_module_runs_as_a_command() -> None:
    """`python -m harness.specs_lint ROOT` ends with the status of the linter."""
    command = [sys.executable, "-m", "harness.specs_lint", str(FIXTURES / "bad-level")]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=root, check=False, capture_output=True).returncode == 1  # noqa: S603 - our own module


def test_every_must_names_its_sentence() -> None:
    """Each MUST, released or not, has a quotation or a derivation that is not blank."""
    musts = [terms for terms in TERMS if terms.level is Level.MUST]
    assert musts
    assert all((terms.source.quote or terms.source.derivation).strip() for terms in musts)


def test_quotes_are_single_lines_of_words() -> None:
    """A quotation is given as rendered: no markup, no line breaks, no double blanks."""
    quotes = [terms.source.quote for terms in TERMS if terms.source.quote]
    assert quotes
    assert [
        quote for quote in quotes if quote != _squeezed(quote) or "``" in quote or ":meth:" in quote
    ] == []


@pytest.mark.parametrize(
    "source",
    [terms.source for terms in TERMS if terms.source.document == "docstring" and terms.source.quote],
    ids=lambda source: source.section,
)
def test_docstrings_say_what_is_quoted(source: Source) -> None:
    """A sentence quoted from a docstring stands in that docstring."""
    documented: object = futures
    for part in source.section.split("."):
        documented = getattr(documented, part)
    assert source.quote in _squeezed(inspect.getdoc(documented) or "")


def test_rules_come_in_the_order_of_the_files() -> None:
    """Rules are returned under their ids, families by file name and ids as written."""
    rules = load_rules()
    assert [rule.id for rule in rules.values()] == list(rules)
    assert [name for name in rules if name.startswith("FUT-")][:3] == ["FUT-01", "FUT-02", "FUT-03"]


def test_a_rule_tells_its_family() -> None:
    """The family is the letters of the id."""
    assert {rule.family for rule in load_rules().values()} >= {"FUT", "CB", "API", "LIFE"}


def test_what_is_left_out_has_its_default() -> None:
    """A rule without limits holds for every kind, arena and death model from 3.11 on."""
    source = Source(
        document="doc", section="Future.cancel", python="3.13", quote="the call will be cancelled"
    )
    assert load_rules(FIXTURES / "clean") == {
        "FUT-08": Rule(
            id="FUT-08",
            level=Level.MUST,
            promise="A cancelled task is never executed.",
            intent="Its caller has cleaned up.",
            source=source,
            component="Future",
            kinds=KINDS,
            since=(3, 11),
            arenas=ARENAS,
            needs=(),
            unless=(),
            death=DEATHS,
            issue="",
        )
    }


def test_drafts_wait_for_something() -> None:
    """Each draft says what is missing, and none has the name of a released rule."""
    drafts = load_drafts()
    assert all(draft.waits_for for draft in drafts.values())
    assert not drafts.keys() & load_rules().keys()


def test_a_process_pool_prefetches_by_declaration() -> None:
    """Capabilities carry their kind of value, their default and how they are found out."""
    prefetch = load_capabilities()["prefetch"]
    assert (prefetch.value, prefetch.default, prefetch.found) == ("number", 0, "declared")


@pytest.mark.parametrize(
    "name", ["not-toml", "missing-field", "bad-level", "source-is-text", "names-are-text", "bad-since"]
)
def test_the_loader_points_to_the_linter(name: str) -> None:
    """A file that cannot be read as rules is named, with the command that says what is wrong in it."""
    with pytest.raises(SpecsError, match=r"fut\.toml cannot be read .* run `python -m harness\.specs_lint`"):
        load_rules(FIXTURES / name)


@pytest.mark.parametrize("field", ["value", "found", "default"])
def test_the_loader_refuses_a_capability_out_of_the_vocabulary(tmp_path: Path, field: str) -> None:
    """A capability whose kind, default or origin is unknown is not loaded."""
    fields: Mapping[str, str] = {
        "name": '"prefetch"',
        "sentence": '"Some."',
        "value": '"number"',
        "default": "0",
        "found": '"declared"',
        field: "[]",
    }
    lines = "\n".join(f"{key} = {value}" for key, value in fields.items())
    (tmp_path / "capabilities.toml").write_text(f"[[capability]]\n{lines}\n", encoding="utf-8")
    with pytest.raises(SpecsError, match=r"capabilities\.toml cannot be read"):
        load_capabilities(tmp_path)
