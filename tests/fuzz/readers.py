#!/usr/bin/env python
"""Throws bytes at the readers of what users write: `readers.py READER [options of libFuzzer]`, run by hand or by a test.

A reader may answer, or raise an error of ours. Any other exception, and more than a second for one input, is a finding:
libFuzzer then writes the input to a file `crash-…` and ends with another status than 0. Needs atheris.

    tests/fuzz/readers.py jobs -max_total_time=60
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["medallion"]):
    from reference_scope import FixedScope

    from medallion.errors import MedallionError
    from medallion.runtime.lookup import find_notebook
    from medallion.runtime.protocol import Places
    from medallion.runtime.source import SUFFIXES, NotebookFormatError, parse_notebook
    from medallion.runtime.sql_markers import fill_markers
    from medallion.runtime.sql_text import split_statements, substitute
    from medallion.spec.bundle.includes import go_pattern
    from medallion.spec.bundle.yaml import parse_yaml
    from medallion.spec.check import check_job
    from medallion.spec.loading import load
    from medallion.spec.quartz import Quartz, QuartzError, parse_schedule
    from medallion.spec.references import find, resolve
    from medallion.spec.references.check import check_references
    from medallion.spec.source import SourceError, parse_json

SECONDS = 1
"""Of the processor's time: a busy machine is no finding."""

PATIENCE = 30
"""Of the clock."""

MOST_BYTES = 4096

SCOPE = FixedScope()
FILE = Path(tempfile.mkdtemp(prefix="medallion-fuzz-")) / "databricks.yml"
atexit.register(shutil.rmtree, FILE.parent, ignore_errors=True)
PLACES = Places("/none", "/none", "/none", {"/Workspace/Users": str(FILE.parent)})

OURS = (MedallionError, NotebookFormatError, SourceError, QuartzError)


def jobs(data: bytes) -> None:
    """The job reader: JSON text, then every check."""
    document, _ = parse_json(data.decode("utf-8", "replace"))
    if document is not None:
        check_job(document.value, positions=document.positions)


def bundles(data: bytes) -> None:
    """The bundle reader's YAML."""
    parse_yaml(data.decode("utf-8", "replace"))


def bundle_files(data: bytes) -> None:
    """The whole bundle reader, from the file: includes, targets, variables, references, the jobs."""
    FILE.write_bytes(data)
    load(FILE.parent)


def patterns(data: bytes) -> None:
    """Patterns of includes."""
    pattern, _, name = data.decode("utf-8", "replace").partition("\n")
    go_pattern(pattern[:255]).fullmatch(name[:255])


def statements(data: bytes) -> None:
    """What SQL cells are cut by and filled with."""
    text = data.decode("utf-8", "replace")
    assert len(split_statements(text)) <= len(text)
    substitute(text, {"a": "b"})
    with contextlib.suppress(MedallionError):
        fill_markers(text, {"a": "b"})


def notebook_paths(data: bytes) -> None:
    """The finder of notebooks: a path never leads out of a mapped folder."""
    path = data.decode("utf-8", "replace")
    found = find_notebook(path, PLACES, caller=FILE.parent / "caller.py")
    assert path.startswith("/") is False or found.is_file()


def references(data: bytes) -> None:
    """The finder, the checker and the resolver of dynamic value references."""
    text = data.decode("utf-8", "replace")
    find(text)
    task = {"task_key": "a", "notebook_task": {"notebook_path": "n", "base_parameters": {"x": text}}}
    check_references({"tasks": [task], "parameters": [{"name": "p", "default": text}]})
    resolve(text, SCOPE)


def notebooks(data: bytes) -> None:
    """The notebook parser; the first byte chooses the kind of file."""
    kind = SUFFIXES[data[0] % len(SUFFIXES)] if data else SUFFIXES[0]
    parse_notebook(data[1:].decode("utf-8", "replace"), Path(f"n{kind}"))


def cron(data: bytes) -> None:
    """The readers of Quartz and Unix cron."""
    text = data.decode("utf-8", "replace")
    for read in (Quartz.parse, parse_schedule):
        try:
            read(text)
        except OURS:
            continue


READERS: dict[str, Callable[[bytes], None]] = {
    "jobs": jobs,
    "bundles": bundles,
    "references": references,
    "notebooks": notebooks,
    "cron": cron,
    "bundle_files": bundle_files,
    "patterns": patterns,
    "statements": statements,
    "notebook_paths": notebook_paths,
}

SEEDS: dict[str, tuple[bytes, ...]] = {
    "jobs": (
        b'{"name": "a", "tasks": [{"task_key": "t", "run_if": "ALL_DONE", "notebook_task": {"notebook_path": "n"}}]}',
    ),
    "bundles": (b"a: &x [1, 0x1F, 1e3]\nb: {<<: *x, c: ~}\n", b"- |\n  text\n- !!str 5\n"),
    "references": (b"{{job.parameters.x}} {{tasks.a.values.`k`}} {{input.y}}", b"{{backfill.iso_date}}"),
    "notebooks": (
        b"\x00# Databricks notebook source\n# MAGIC %sql\n# COMMAND ----------\nx = 1",
        b'\x01{"cells": [{"cell_type": "code", "source": ["x"]}]}',
    ),
    "bundle_files": (
        b"bundle: {name: b}\ninclude: ['*.yml']\nvariables: {v: {default: 1}}\ntargets: {dev: {mode: development}}\n"
        b"resources: {jobs: {j: {name: '${var.v}', tasks: [{task_key: a, notebook_task: {notebook_path: ./n}}]}}}\n",
    ),
    "patterns": (b"*a[b-c]?*.yml\nxaby.yml", b"\\*\n*"),
    "statements": (b"SELECT 'a;' AS `b`; BEGIN IF a THEN SELECT 1; END IF; END -- x\n/* y */", b"${a} $a {{ a }} :a"),
    "notebook_paths": (b"/Workspace/Users/../x", b"./a", b"/Repos/x"),
    "cron": (b"0 0/15 9-17 ? * MON-FRI", b"0 0 12 LW * ? 2030", b"*/5 * * * *"),
}


def main(arguments: list[str]) -> None:
    """Fuzz one reader until libFuzzer's options end it."""
    reader = READERS[arguments[1]]

    def one(data: bytes) -> None:
        begun = time.process_time()
        with contextlib.suppress(*OURS):
            reader(data)
        assert time.process_time() - begun < SECONDS, "it takes too long"

    corpus = Path(arguments[2]) if len(arguments) > 2 and not arguments[2].startswith("-") else None
    if corpus is not None:
        for number, seed in enumerate(SEEDS[arguments[1]]):
            (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-timeout={PATIENCE}", f"-max_len={MOST_BYTES}"]
    atheris.Setup([arguments[0], *arguments[2:], *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
