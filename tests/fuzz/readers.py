#!/usr/bin/env python
"""Throws bytes at the readers of what users write: `readers.py READER [options of libFuzzer]`, run by hand or by a test.

A reader may answer, or raise an error of ours. Any other exception, and more than a second for one input, is a finding:
libFuzzer then writes the input to a file `crash-…` and ends with another status than 0. Needs atheris.

    tests/fuzz/readers.py jobs -max_total_time=60
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["medallion"]):
    from reference_scope import FixedScope

    from medallion.errors import MedallionError
    from medallion.runtime.source import SUFFIXES, NotebookFormatError, parse_notebook
    from medallion.spec.bundle.yaml import parse_yaml
    from medallion.spec.check import check_job
    from medallion.spec.quartz import Quartz, QuartzError, parse_schedule
    from medallion.spec.references import find, resolve
    from medallion.spec.references.check import check_references
    from medallion.spec.source import SourceError, parse_json

SECONDS = 1
MOST_BYTES = 4096

SCOPE = FixedScope()

OURS = (MedallionError, NotebookFormatError, SourceError, QuartzError)


def jobs(data: bytes) -> None:
    """The job reader: JSON text, then every check."""
    document, _ = parse_json(data.decode("utf-8", "replace"))
    if document is not None:
        check_job(document.value, positions=document.positions)


def bundles(data: bytes) -> None:
    """The bundle reader's YAML."""
    parse_yaml(data.decode("utf-8", "replace"))


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
    "cron": (b"0 0/15 9-17 ? * MON-FRI", b"0 0 12 LW * ? 2030", b"*/5 * * * *"),
}


def main(arguments: list[str]) -> None:
    """Fuzz one reader until libFuzzer's options end it."""
    reader = READERS[arguments[1]]

    def one(data: bytes) -> None:
        try:
            reader(data)
        except OURS:
            return

    corpus = Path(arguments[2]) if len(arguments) > 2 and not arguments[2].startswith("-") else None
    if corpus is not None:
        for number, seed in enumerate(SEEDS[arguments[1]]):
            (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-timeout={SECONDS}", f"-max_len={MOST_BYTES}"]
    atheris.Setup([arguments[0], *arguments[2:], *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
