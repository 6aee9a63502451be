"""Resources that a bundle defines in Python, run in the user's own environment. Runs at parse.

That package is not under an open licence, so it is never imported here. Its command reads the bundle as JSON and writes
the changed bundle, its complaints and the places of what it made, each to a file.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medallion.core.environment import for_user_code
from medallion.spec.bundle.fields import root
from medallion.spec.bundle.normalize import normalize
from medallion.spec.bundle.references import split_name
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, Node, Places, made, matches, plain, put
from medallion.spec.positions import JsonPath
from medallion.spec.problems import Problem, Severity

SECTIONS: tuple[JsonPath, ...] = (("python",), ("experimental", "python"))
MODULE = "databricks.bundles.build"
SECONDS = 120
FORBIDDEN = "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION"
ADVICE = "install databricks-bundles into the bundle's environment and name it as python.venv_path"
LOG = logging.getLogger(__name__)
Stage = Callable[[Node], Node]


@dataclass(frozen=True, slots=True)
class Session:
    """One bundle's Python code and the interpreter that runs it.

    :param at: path of the section that names the code.
    :param read: files that the answer depends on; those that the code came from are added.
    """

    python: Path
    folder: Path
    environ: Mapping[str, str]
    at: JsonPath
    report: Report
    read: list[Path]
    places: dict[JsonPath, Places] = field(default_factory=dict)

    def run(self, phase: str, tree: Node) -> Node | None:
        """The resources after one phase; None after reporting why there are none."""
        with TemporaryDirectory(prefix="medallion-bundle-") as scratch:
            files = {name: Path(scratch, f"{name}.json") for name in ("input", "output", "diagnostics", "locations")}
            files["input"].write_text(json.dumps(as_input(tree)), encoding="utf-8")
            arguments = [part for name, file in files.items() for part in (f"--{name}", str(file))]
            command = [str(self.python), "-m", MODULE, "--phase", phase, *arguments]
            try:
                done = subprocess.run(
                    command,
                    cwd=self.folder,
                    env=for_user_code(self.environ),
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                self.fail(f"the bundle's Python code could not be run: {error}", tree)
                return None
            self.note_diagnostics(files["diagnostics"])
            if done.returncode or not files["output"].is_file():
                self.explain(done.stderr, tree)
                return None
            self.note_places(files["locations"])
            return self.result(files["output"])

    def result(self, file: Path) -> Node | None:
        """The resources that the code wrote, fitted to their fields and with their places."""
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            self.fail(f"the bundle's Python code wrote no JSON: {error}", None)
            return None
        resources = made(data.get("resources") or {})
        placed = self.placed(resources, ("resources",), ())
        return normalize(root().fields["resources"], placed, self.report, ("resources",))

    def placed(self, node: Node, at: JsonPath, outer: Places) -> Node:
        """The tree with places: of the value itself, else of what holds it."""
        here = self.places.get(at, outer)
        if type(node.value) is dict:
            values = {key: self.placed(item, (*at, key), here) for key, item in node.value.items()}
            return Node(values, here, dict.fromkeys(values, here))
        if type(node.value) is list:
            return Node([self.placed(item, (*at, index), here) for index, item in enumerate(node.value)], here)
        return Node(node.value, here)

    def note_diagnostics(self, file: Path) -> None:
        """Report what the code complained of."""
        for entry in json_lines(file):
            place = entry.get("location") or {}
            severity = Severity.ERROR if entry.get("severity") == "error" else Severity.WARNING
            found = Path(self.folder, place["file"]) if place.get("file") else None
            message = " ".join(str(entry[key]).strip() for key in ("summary", "detail") if entry.get(key))
            path = "$." + entry["path"] if entry.get("path") else None
            problem = Problem(severity, message, found, place.get("line"), place.get("column"), path)
            self.report.problems.append(problem)

    def note_places(self, file: Path) -> None:
        """Remember where the code made what."""
        for entry in json_lines(file):
            source = Path(self.folder, str(entry.get("file")))
            self.places[split_name(str(entry.get("path")))] = ((source, entry.get("line", 1), entry.get("column", 1)),)
            if source not in self.read:
                self.read.append(source)

    def explain(self, errors: str, tree: Node) -> None:
        """Report a run that failed."""
        lines = errors.strip().splitlines()
        if any("databricks" in line and ("No module named" in line or "finding module" in line) for line in lines):
            self.fail(f"{self.python} has no databricks-bundles, which the bundle's Python code needs", tree, ADVICE)
        elif not self.report.failed:
            self.fail(f"the bundle's Python code failed: {lines[-1] if lines else 'it wrote nothing'}", tree)

    def fail(self, message: str, tree: Node | None, hint: str | None = None) -> None:
        """Report an error at the section that names the code."""
        self.report.error(message, tree.at(*self.at) if tree is not None else None, self.at, hint)


def add_python_resources(
    tree: Node,
    folder: Path,
    environ: Mapping[str, str],
    report: Report,
    read: list[Path],
    stages: tuple[Stage, Stage],
) -> Node:
    """The tree with the resources that the bundle's Python code makes and changes.

    :param stages: what new resources go through, and what changed ones go through.
    """
    session = open_session(tree, folder, environ, report, read)
    if session is None:
        return tree
    # Whatever reads bundles, someone may not expect that it runs them: standard error and the logs of components say so.
    LOG.warning(
        "%s: its resources are defined in Python, and that code is run now (%s=1 forbids it)", folder, FORBIDDEN
    )
    initialize, tidy = stages
    loaded = session.run("load_resources", tree)
    if loaded is None:
        return tree
    tree = take_over(tree, loaded, initialize, lambda old: old is None)
    if not (tree.at(*session.at, "mutators") or EMPTY).value:
        return tree
    mutated = session.run("apply_mutators", tree)
    return tree if mutated is None else take_over(tree, mutated, tidy, lambda old: old is not None)


def open_session(
    tree: Node, folder: Path, environ: Mapping[str, str], report: Report, read: list[Path]
) -> Session | None:
    """The bundle's Python code, when it has any and there is an interpreter for it."""
    found = [at for at in SECTIONS if has_code(tree.at(*at))]
    if not found:
        return None
    at, section = found[0], tree.at(*found[0]) or EMPTY
    if len(found) > 1 and plain(section) != plain(tree.at(*found[1]) or EMPTY):
        report.error("python and experimental.python differ", section, at, "keep python only")
        return None
    if environ.get(FORBIDDEN):
        report.error(f"the bundle has Python code, and {FORBIDDEN} forbids to run it", section, at)
        return None
    python = interpreter(section.text("venv_path"), folder, environ)
    if python is None:
        message = "the bundle defines resources in Python, and no Python environment was found to run it in"
        report.error(message, section, at, ADVICE)
        return None
    read.extend(sources(section, folder))
    return Session(python, folder, environ, at, report, read)


def has_code(section: Node | None) -> bool:
    """Whether a section names functions to call."""
    return section is not None and any((section.get(key) or EMPTY).value for key in ("resources", "mutators"))


def interpreter(venv: str, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """The interpreter of the environment that the bundle names; else the active one, .venv, or on the PATH."""
    named = [folder / venv] if venv else [Path(environ.get("VIRTUAL_ENV") or folder / ".venv"), folder / ".venv"]
    for base in named:
        for candidate in (base / "bin" / "python", base / "bin" / "python3", base / "Scripts" / "python.exe"):
            if candidate.is_file():
                return candidate
    on_path = None if venv else shutil.which("python3", path=environ.get("PATH", ""))
    return Path(on_path) if on_path else None


def sources(section: Node, folder: Path) -> Iterator[Path]:
    """The files of the modules that a section names, as far as they lie in the bundle."""
    for key in ("resources", "mutators"):
        for item in (section.get(key) or EMPTY).elements():
            module = str(item.value).partition(":")[0].replace(".", "/")
            yield from (file for file in (folder / f"{module}.py", folder / module / "__init__.py") if file.is_file())


def as_input(tree: Node) -> Any:
    """The bundle as the code reads it: older versions look for the section under experimental only."""
    section = tree.at("python")
    if section is not None and tree.at("experimental", "python") is None:
        tree = put(tree, ("experimental", "python"), section)
    return plain(tree)


def take_over(tree: Node, fresh: Node, stage: Stage, wanted: Callable[[Node | None], bool]) -> Node:
    """The tree with resources that are new or that differ, put through a stage of their own."""
    taken = EMPTY
    for path, node in matches(fresh, (ANY, ANY)):
        old = tree.at("resources", *path)
        if wanted(old) and (old is None or plain(old) != plain(node)):
            taken = put(taken, path, node)
    if not taken.value:
        return tree
    done = stage(put(tree, ("resources",), taken))
    for path, node in matches(done, ("resources", ANY, ANY)):
        tree = put(tree, path, node, node.places)
    return tree


def json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file that holds one on each line; what cannot be read is passed over."""
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
