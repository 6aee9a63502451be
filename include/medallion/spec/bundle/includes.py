"""Finding the files of a bundle and reading them into one tree. Runs wherever bundles are read.

Patterns match as Go's filepath.Glob does: `*` and `?` stay within one name, and `**` is nothing special
(reference §17.1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medallion.spec.bundle.fields import SINGULAR, root
from medallion.spec.bundle.merge import MergeError, merge
from medallion.spec.bundle.normalize import normalize
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.targets import write_out_variables
from medallion.spec.bundle.tree import ANY, EMPTY, Node, Places, matches
from medallion.spec.bundle.yaml import read_yaml
from medallion.spec.problems import Problem, Severity
from medallion.spec.source import SourceError

ROOT_FILES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
SUFFIXES = (".yml", ".yaml", ".json")
GLOB_CHARACTERS = "*?["
MAX_FILES = 10_000
LONGEST_PATTERN = 4096
"""Of one name in a pattern. File systems have names of 255 bytes."""

ELEMENT = re.compile(r"\\.|\[\^?(?:\\.|[^\]\\])+\]|.", re.DOTALL)
NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Files:
    """One tree of all files of a bundle.

    :param file: the root file.
    :param read: every file that was read and every folder that was searched.
    """

    tree: Node
    file: Path
    read: tuple[Path, ...]


def find_root_file(path: Path) -> Path:
    """The root file of a bundle's folder; a file is taken as it is.

    :raises SourceError: there is none, or more than one.
    """
    if path.is_file():
        return path
    found = [path / name for name in ROOT_FILES if (path / name).exists()]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found)
        raise SourceError(Problem(Severity.ERROR, f"a bundle has one root file, here are {names}", path))
    hint = f"a bundle's folder holds {ROOT_FILES[0]}"
    raise SourceError(Problem(Severity.ERROR, "no bundle's root file is here", path, hint=hint))


def read_files(path: Path, report: Report) -> Files | None:
    """The tree of the root file and of everything that it includes; None when the root file cannot be read."""
    try:
        file = find_root_file(path)
    except SourceError as error:
        report.problems.append(error.problem)
        return None
    tree = read_file(file, report)
    if tree is None:
        return None
    folder = file.parent
    read = [file]
    for included in includes(tree, file, report, read):
        read.append(included)
        more = read_file(included, report)
        if more is None:
            continue
        check_single_resource(more, included, folder, report)
        if more.at("include", 0) is not None:
            message = "include counts in the root file only; this one is not followed"
            report.warning(message, more.get("include"), ("include",))
        tree = join(tree, more, report)
    return Files(tree, file, tuple(dict.fromkeys(read)))


def read_file(file: Path, report: Report) -> Node | None:
    """The tree of one file, fitted to a bundle's fields; None when it cannot be read."""
    try:
        tree, warnings = read_yaml(file)
    except SourceError as error:
        report.problems.append(error.problem)
        return None
    report.problems.extend(warnings)
    fitted = normalize(root(), write_out_variables(tree), report)
    return fitted if fitted is not None and type(fitted.value) is dict else EMPTY


def join(tree: Node, more: Node, report: Report) -> Node:
    """Two files as one tree."""

    def conflict(error: MergeError) -> None:
        report.error(f"{error}, which another file has", error.node)

    return merge(tree, more, conflict)


def includes(tree: Node, file: Path, report: Report, read: list[Path]) -> Iterator[Path]:
    """The files that the root file includes, each once, pattern by pattern; searched folders go to `read`."""
    folder = file.parent
    seen = {folder / name for name in ROOT_FILES}
    listed = tree.get("include")
    count = 0
    for index, entry in enumerate(listed.elements() if listed else []):
        pattern = str(entry.value)
        at = ("include", index)
        if pattern.startswith("/"):
            report.error(f"{pattern}: an include must be a relative path", entry, at)
            continue
        found = sorted(glob(folder, pattern, read))
        if not found and not any(character in pattern for character in GLOB_CHARACTERS):
            report.error(f"{pattern} matches no file", entry, at)
        for match in found:
            if match in seen:
                continue
            seen.add(match)
            count += 1
            if match.suffix not in SUFFIXES:
                message = f"{os.path.relpath(match, folder)} is included and is no YAML or JSON file"
                report.error(message, entry, at, "files for the deployment belong into sync.include")
            elif count > MAX_FILES:
                report.error(f"more than {MAX_FILES:,} files are included", entry, at)
                return
            else:
                yield match


def glob(folder: Path, pattern: str, read: list[Path]) -> list[Path]:
    """Files and folders below a folder that match a pattern. A name with a dot in front matches `*`, as in Go."""
    found = [Path(os.path.normpath(folder))]
    for part in os.path.normpath(pattern).split("/"):
        if part in {".", ""}:
            continue
        if not any(character in part for character in GLOB_CHARACTERS + "\\"):
            found = [path.parent if part == ".." else path / part for path in found]
            found = [path for path in found if os.path.lexists(path)]
            continue
        matcher = go_pattern(part)
        read.extend(found)
        found = [path / name for path in found for name in names_in(path) if matcher.fullmatch(name)]
    return found


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; none when it is no folder or cannot be read."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def go_pattern(part: str) -> re.Pattern[str]:
    """One part of a path as an expression: `*`, `?`, `[a-z]`, `[^a-z]`, and `\\` before a character meant as such.

    What stands between two stars is looked for once, from the left: the expression takes no more time for many stars.
    """
    if len(part) > LONGEST_PATTERN:
        return NOTHING
    pieces = [""]
    for found in ELEMENT.finditer(part):
        if found[0] == "*":
            pieces.append("")
        else:
            pieces[-1] += translate(found[0])
    first, *rest = pieces
    between = "".join(f"(?>[^/]*?{piece})" for piece in rest[:-1] if piece)
    try:
        return re.compile(f"{first}{between}[^/]*{rest[-1]}" if rest else first, re.DOTALL)
    except re.error:
        return NOTHING


def translate(element: str) -> str:
    """One element of a pattern as a piece of an expression; not a star."""
    if element == "?":
        return "[^/]"
    if element.startswith("[") and len(element) > 1:
        return element.replace("[[", r"[\[").replace("&&", r"&\&")
    return re.escape(element[1:] if element.startswith("\\") and len(element) > 1 else element)


def check_single_resource(tree: Node, file: Path, folder: Path, report: Report) -> None:
    """A file named `x.job.yml` should define one job and nothing else; a note says so when it does not."""
    kind = next((word for word in SINGULAR.values() if re.search(rf"\.{word}\.ya?ml$", file.name)), None)
    if kind is None:
        return
    found = [
        *matches(tree, ("resources", ANY, ANY)),
        *matches(tree, ("targets", ANY, "resources", ANY, ANY)),
    ]
    kinds = {SINGULAR.get(str(path[-2]), "") for path, _ in found}
    keys = {path[-1] for path, _ in found}
    if kinds <= {kind} and len(keys) <= 1:
        return
    suffix = "." + ".".join(file.name.rsplit(".", 2)[1:])
    names = ", ".join(sorted({f"{path[-1]} ({SINGULAR.get(str(path[-2]), '')})" for path, _ in found}))
    first = sorted(found, key=lambda item: item[1].places[:1])[0] if found else None
    places: Places = first[1].places if first else ()
    message = f"a file with the suffix {suffix} should define a single {kind.replace('_', ' ')}; it defines {names}"
    report.note(message, places, first[0] if first else None)
