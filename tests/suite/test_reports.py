"""`results.json` fits its schema, and a baseline accepts what is known and nothing else."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tests.suite.harness_run import run_harness

if TYPE_CHECKING:
    from pathlib import Path

# Two rules only: what else goes wrong when a callback is called twice differs from run to run.
TWICE = (
    "--executor", "tests.subjects.badly:CallsBackTwice", "--executor-rules", "CB-01,FUT-08",
    "--executor-budget", "8s", "-k", "lifecycle",
)  # fmt: skip
NAMES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def problems(  # noqa: C901 - one branch for each keyword of the schema
    value: object, schema: dict[str, Any], root: dict[str, Any], where: str = "$"
) -> list[str]:
    """Where a value does not fit: the part of JSON Schema that ours uses, and a refusal of any other."""
    known = {
        "$schema", "$defs", "$ref", "title", "description", "type", "const", "enum", "required", "properties",
        "additionalProperties", "items", "minimum", "pattern",
    }  # fmt: skip
    found = [f"{where}: this test does not know {name}" for name in schema.keys() - known]
    if "$ref" in schema:
        return found + problems(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, where)
    if "type" in schema and not fits(value, schema["type"]):
        return [*found, f"{where}: {value!r} is no {schema['type']}"]
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        found.append(f"{where}: {value!r} is not allowed")
    if isinstance(value, int | float) and value < schema.get("minimum", value):
        found.append(f"{where}: {value!r} is too small")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{where}: {value!r} does not match")
    if isinstance(value, list):
        for place, each in enumerate(value):
            found += problems(each, schema.get("items", {}), root, f"{where}[{place}]")
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        found += [f"{where}: {name} is missing" for name in set(schema.get("required", ())) - value.keys()]
        if schema.get("additionalProperties") is False:
            found += [f"{where}: {name} is unknown" for name in value.keys() - parts.keys()]
        for name in value.keys() & parts.keys():
            found += problems(value[name], parts[name], root, f"{where}.{name}")
    return found


def fits(value: object, name: str) -> bool:
    """Whether a value has a type of JSON's; a boolean is no number there."""
    return isinstance(value, NAMES[name]) and (name == "boolean" or not isinstance(value, bool))


def test_results_fit_the_schema_and_baselines_hold(tmp_path: Path) -> None:
    """First contact accepts, a second run is green; a new violation fails, and so does one that is gone."""
    baseline = ("--executor-baseline", "known.json", "--executor-seed", "1")
    first = run_harness(tmp_path, *TWICE, *baseline, "--executor-report", "report")
    assert first.status == 0, first.out
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    schema = json.loads(files("harness").joinpath("report/results.schema.json").read_text(encoding="utf-8"))
    assert problems(results, schema, schema) == []
    row = next(each for each in results["results"] if each["rule"] == "CB-01")
    assert (row["verdict"], row["baseline"]) == ("violated", True)

    second = run_harness(tmp_path, *TWICE, *baseline)
    assert second.status == 0, second.out
    assert "accepted by the baseline" in second.out

    path = tmp_path / "known.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"accepted": [each for each in known["accepted"] if each["rule"] != "CB-01"]}))
    new = run_harness(tmp_path, *TWICE, *baseline)
    assert new.status == 1, new.out
    assert "CB-01 MUST" in new.out

    gone = [{**each, "rule": "FUT-08"} for each in known["accepted"] if each["rule"] == "CB-01"]
    path.write_text(json.dumps({"accepted": known["accepted"] + gone}))
    stale = run_harness(tmp_path, *TWICE, *baseline)
    assert stale.status == 1, stale.out
    assert "no longer broken, but still in the baseline: FUT-08" in stale.out
