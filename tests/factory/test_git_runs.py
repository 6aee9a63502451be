"""Tasks from a Git repository, as real runs: one commit for the whole run, and errors in words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from factory.lab import Lab, Ran, stub

from medallion.runs.notes import read_notes

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

NOTEBOOK = """# Databricks notebook source
import importlib
print("says", importlib.import_module("shared").WORD)
"""
PUSH = """import os, subprocess
who = {f"GIT_{a}_{b}": "x@example.com" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
tree = "TREE"
open(f"{tree}/src/shared.py", "w").write("WORD = 'second'")
for line in ("commit -qam second", "push -q origin main"):
    subprocess.run(["git", *line.split()], cwd=tree, check=True, env={**os.environ, **who})
"""
WHO = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder: Path, *lines: str) -> str:
    out = ""
    for line in lines:
        done = subprocess.run(
            ["git", *line.split()], cwd=folder, check=True, capture_output=True, text=True, env={**os.environ, **WHO}
        )
        out = done.stdout.strip()
    return out


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    tree, bare = lab.project / "tree", lab.project / "origin.git"
    (tree / "src").mkdir(parents=True)
    (tree / "other").mkdir()
    (tree / "src" / "says.py").write_text(NOTEBOOK)
    (tree / "src" / "shared.py").write_text("WORD = 'first'")
    (tree / "src" / "script.py").write_text("import shared\nprint('script', shared.WORD)")
    (tree / "src" / "q.sql").write_text("SELECT 7 AS seven")
    (tree / "other" / "left_out.py").write_text("")
    git(
        tree, "init -q -b main", "add .", "commit -q -m first", f"clone -q --bare . {bare}", f"remote add origin {bare}"
    )
    (lab.project / "jobs" / "push.py").write_text(PUSH.replace("TREE", str(tree)))
    source = {
        "git_url": bare.as_uri(),
        "git_provider": "gitLab",
        "git_branch": "main",
        "sparse_checkout": {"patterns": ["src"]},
    }
    after = {"depends_on": [{"task_key": "push"}]}
    tasks = [
        {"task_key": "before", "notebook_task": {"notebook_path": "src/says"}},
        stub("push", after=("before",)) | {"spark_python_task": {"python_file": "push.py"}},
        {"task_key": "after", "notebook_task": {"notebook_path": "src/says", "source": "GIT"}, **after},
        {"task_key": "script", "spark_python_task": {"python_file": "src/script.py", "source": "GIT"}, **after},
        {"task_key": "sql", "sql_task": {"warehouse_id": "w", "file": {"path": "src/q.sql"}}, **after},
        {"task_key": "sparse", "notebook_task": {"notebook_path": "other/left_out"}, **after},
        {"task_key": "missing", "notebook_task": {"notebook_path": "src/sasy"}, **after},
    ]
    return lab.run({"name": "from git", "git_source": source, "tasks": tasks})


def test_one_commit_for_the_whole_run_though_the_branch_moved(lab: Lab, ran: Ran) -> None:
    assert "says first" in ran.log("before")
    assert "says first" in ran.log("after")
    assert "script first" in ran.log("script")
    assert ran.states["sql"] == "SUCCESS"
    ((url, told),) = read_notes(lab.settings.home, ran.snapshot.dag_id, ran.snapshot.run_id)["git"].items()
    assert url.endswith("origin.git")
    assert told == {"used_commit": git(lab.project / "tree", "rev-parse HEAD~1"), "branch": "main"}
    assert "says second" in lab.run("from git").log("before")


def test_what_the_commit_has_not_is_said_in_words(ran: Ran) -> None:
    assert "no 'src/sasy' in commit" in ran.log("missing")
    assert "did you mean says?" in ran.log("missing")
    assert "no 'other/left_out' in commit" in ran.log("sparse")


def test_wrong_refs_fail_the_task_in_words(lab: Lab, ran: Ran) -> None:
    url = (lab.project / "origin.git").as_uri()
    notebook = {"task_key": "t", "notebook_task": {"notebook_path": "src/says"}}
    source = {"git_url": url, "git_provider": "gitHub", "git_branch": "mian"}
    failed = lab.run({"name": "wrong branch", "git_source": source, "tasks": [notebook]})
    assert failed.result == "FAILED"
    assert "has no branch 'mian'; did you mean main?" in failed.log("t")
    without = {"task_key": "t", "spark_python_task": {"python_file": "x.py", "source": "GIT"}}
    assert "the job has no git_source" in lab.run({"name": "no git source", "tasks": [without]}).log("t")
