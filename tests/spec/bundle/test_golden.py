"""Every bundle of tests/data/bundles resolves to what Databricks' CLI resolves it to, and says the same about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from medallion.spec.bundle import load_bundle, resolve_bundle
from medallion.spec.problems import Problem

BUNDLES = Path(__file__).parents[2] / "data" / "bundles"
INTERNAL = ("deployment", "edit_mode", "format")


def goldens(pattern: str) -> list[object]:
    files = sorted(BUNDLES.glob(f"*/expected/{pattern}"))
    return [pytest.param(file, id=f"{file.parents[1].name}-{file.name.split('.')[0]}") for file in files]


def target_of(golden: Path) -> str | None:
    name = golden.name.split(".")[0]
    return None if name == "default" else name


def without_internal(resources: dict) -> dict:
    return {
        kind: {
            key: {name: value for name, value in item.items() if name not in INTERNAL} for key, item in found.items()
        }
        for kind, found in resources.items()
    }


@pytest.mark.parametrize("golden", goldens("*.json"))
def test_resources_equal_those_of_the_cli(golden: Path) -> None:
    resolved = resolve_bundle(golden.parents[1], target=target_of(golden), environ={})
    assert not resolved.errors
    expected = json.loads(golden.read_text())["resources"]
    assert without_internal(json.loads(json.dumps(resolved.resources))) == without_internal(expected)


def said(golden: Path) -> list[tuple[str, str, str, str]]:
    """Severity, words, path and place of every message of the CLI."""
    found = []
    for block in re.split(r"\n(?=Error|Warning|Recommendation)", golden.read_text()):
        severity, words = block.split(": ", 1)
        at = re.search(r"\n  at (\S+)", words)
        place = re.search(r"\n  in (\S+)", words)
        found.append((severity.lower(), words, at[1] if at else "", place[1] if place else ""))
    return found


def names_the_same(problem: Problem, words: str) -> bool:
    """Whether a message holds the word that the CLI's message is about."""
    subjects = re.findall(
        r"unknown field: (\w+)|value \"(\w+)\"|(\$\{[\w.]+\})|variable (\w+)\.|job_cluster_key (\w+)", words
    )
    subjects += re.findall(r"notebook (\S+) not|(marked as default)", words)
    wanted = [part for subject in subjects for part in subject if part]
    return bool(wanted) and all(word in str(problem) for word in wanted)


@pytest.mark.parametrize("golden", goldens("*.messages.txt"))
def test_messages_name_the_same_thing_at_the_same_place(golden: Path) -> None:
    bundle = golden.parents[1]
    resolved = resolve_bundle(bundle, target=target_of(golden), environ={})
    for severity, words, path, place in said(golden):
        found = [
            problem for problem in resolved.problems if problem.severity == severity and names_the_same(problem, words)
        ]
        assert found, (words, resolved.problems)
        problem = found[0]
        assert problem.file == bundle / "databricks.yml"
        assert problem.path is not None
        assert problem.path.startswith(f"$.{path}" if path else "$.")
        if place:
            assert f"{problem.file.name}:{problem.line}:{problem.column}" == place
    assert len(resolved.problems) == len(said(golden))


@pytest.mark.parametrize("golden", goldens("*.json"))
def test_every_job_loads_without_an_error(golden: Path) -> None:
    loaded = load_bundle(golden.parents[1], target=target_of(golden), environ={})
    expected = json.loads(golden.read_text())["resources"]
    assert loaded.require() == loaded.jobs
    assert {job.key for job in loaded.jobs} == set(expected["jobs"])
    names = {key: job["name"].replace("${resources.jobs.child.name}", "child") for key, job in expected["jobs"].items()}
    assert {job.key: job.job.name for job in loaded.jobs} == names
