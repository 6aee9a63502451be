"""Where a bundle would be deployed: the user, workspace folders, the sync root, git facts. Runs at parse."""

from __future__ import annotations

import configparser
import os
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from medallion.spec.bundle.fields import WORKSPACE_PATHS
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, NIL, Node, made, put, walk, with_value
from medallion.spec.source import SourceError, read_bytes

DEFAULT_ROOT = "~/.bundle/{name}/{target}"
BELOW_ROOT = {"file_path": "files", "resource_path": "resources", "artifact_path": "artifacts", "state_path": "state"}
KEPT_PREFIXES = ("/Workspace/", "/Volumes/")


@dataclass(frozen=True, slots=True)
class User:
    """The user that a bundle is resolved for."""

    name: str

    @property
    def short_name(self) -> str:
        """The part before the @, in lower case, with anything but letters and digits as _."""
        return plain_name(self.name.partition("@")[0])

    @property
    def domain_friendly_name(self) -> str:
        """The short name for use in host names."""
        return re.sub(r"[^a-z0-9]", "-", without_marks(self.short_name).lower())

    @property
    def is_service_principal(self) -> bool:
        """Whether the name is an application id."""
        return is_application_id(self.name)


def is_application_id(name: str) -> bool:
    """Whether a name is that of a service principal: a UUID."""
    try:
        UUID(name)
    except ValueError:
        return False
    return True


def plain_name(text: str) -> str:
    """Lower case, anything but letters and digits as one _, none at the ends."""
    kept = "".join(letter if letter.isalpha() or letter.isdecimal() else "_" for letter in text.lower())
    return re.sub("_+", "_", kept).strip("_")


def without_marks(text: str) -> str:
    """The text without accents."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(letter for letter in parts if unicodedata.category(letter) != "Mn"))


def tag_value(text: str) -> str:
    """A text as a cluster tag on AWS may hold it."""
    return "".join(
        letter if ord(letter) < 256 and (letter.isalnum() or letter.isspace() or letter in "+-=.:/@") else "_"
        for letter in without_marks(text)
    )


def set_workspace(tree: Node, user: User, folder: Path, target: str, report: Report) -> Node:
    """The tree with the current user, the git facts and the workspace paths (reference §17.1, §17.6 step 4)."""
    current = {
        "short_name": user.short_name,
        "domain_friendly_name": user.domain_friendly_name,
        "userName": user.name,
    }
    tree = put(tree, ("workspace", "current_user"), made(current))
    for key, value in git_facts(folder).items():
        if not tree.text("bundle", "git", key):
            tree = put(tree, ("bundle", "git", key), Node(value))
    root = tree.text("workspace", "root_path")
    if not root:
        name = tree.text("bundle", "name")
        if not name:
            report.error("the bundle has no name", tree.get("bundle"), ("bundle", "name"), "set bundle.name")
            name = "unnamed"
        root = DEFAULT_ROOT.format(name=name, target=target)
    if root.startswith("~/"):
        root = posixpath.normpath(f"/Workspace/Users/{user.name}/{root[2:]}")
    tree = set_path(tree, "root_path", root)
    for key, below in BELOW_ROOT.items():
        path = tree.text("workspace", key) or posixpath.normpath(posixpath.join(root, below))
        tree = set_path(tree, key, path)
    return prefix_paths(tree)


def set_path(tree: Node, key: str, path: str) -> Node:
    """The tree with one workspace path."""
    old = tree.at("workspace", key) or NIL
    return put(tree, ("workspace", key), Node(path, old.places))


def prefix_paths(tree: Node) -> Node:
    """Absolute workspace paths begin with /Workspace or /Volumes."""
    for key in WORKSPACE_PATHS:
        path = tree.text("workspace", key)
        if path.startswith("/") and not path.startswith(KEPT_PREFIXES):
            tree = set_path(tree, key, "/Workspace" + path)
    return tree


DOUBLED = re.compile(r"/Workspace/?(\$\{workspace\.(?:root|file|artifact|state|resource)_path\})")


def drop_doubled_prefixes(tree: Node, report: Report) -> Node:
    """`/Workspace${workspace.root_path}` is written by bundles of old: the path holds the prefix by now."""
    doubled = [(path, node) for path, node in walk(tree) if node.kind == "string" and DOUBLED.search(node.value)]
    for path, node in doubled:
        text = DOUBLED.sub(r"\1", node.value)
        report.warning(f"{node.value} doubles /Workspace", node, path, f"write {text}")
        tree = put(tree, path, with_value(node, text))
    return tree


def check_volumes(tree: Node, report: Report) -> None:
    """Only artifacts may go to a volume."""
    for key in ("root_path", "file_path", "state_path", "resource_path"):
        path = tree.text("workspace", key)
        if path.startswith("/Volumes/"):
            message = f"workspace.{key} {path} is on a volume; only workspace.artifact_path may be"
            report.error(message, tree.at("workspace", key), ("workspace", key))
            if key == "root_path":
                return


def check_shared_root(tree: Node, report: Report) -> None:
    """A bundle in the shared folder should say that all users may manage it, since they can write there."""
    shared = (tree.get("permissions") or EMPTY).elements()
    open_to_all = any(item.text("group_name") == "users" and item.text("level") == "CAN_MANAGE" for item in shared)
    if tree.text("workspace", "root_path").startswith("/Workspace/Shared/") and not open_to_all:
        message = "the bundle's root path is in the shared folder, where all users can write"
        hint = "give the group users CAN_MANAGE under permissions, or take another folder"
        report.warning(message, tree.at("workspace", "root_path"), ("workspace", "root_path"), hint)


def set_sync_paths(tree: Node, folder: Path) -> Node:
    """sync.paths, include and exclude relative to the bundle's folder instead of the file that defines them."""
    for key in ("paths", "include", "exclude"):
        listed = tree.at("sync", key)
        if listed is not None and listed.elements():
            tree = put(tree, ("sync", key), Node([relative(item, folder) for item in listed.elements()], listed.places))
    return tree


def relative(item: Node, folder: Path) -> Node:
    """A path relative to the bundle's folder."""
    base = os.path.relpath(defining_folder(item, folder), folder)
    return with_value(item, posixpath.normpath(posixpath.join(base, str(item.value))))


def defining_folder(node: Node, folder: Path) -> Path:
    """The folder of the file that a value stands in; the bundle's folder when no file is known."""
    file = node.places[0][0] if node.places else None
    return file.parent if file is not None else folder


def sync_root(tree: Node, folder: Path, report: Report) -> Path:
    """The folder that is deployed: the bundle's, or one above it when sync.paths leaves it."""
    found = folder
    for index, item in enumerate((tree.at("sync", "paths") or EMPTY).elements()):
        path = str(item.value)
        if path.startswith("/"):
            report.error(f"sync path {path} must be relative", item, ("sync", "paths", index))
            continue
        ups = sum(1 for part in path.split("/") if part == "..")
        above = folder.parents[ups - 1] if 0 < ups <= len(folder.parents) else folder
        found = min(found, above, key=lambda candidate: len(candidate.parts))
    store = git_store(folder)
    if store is not None and not found.is_relative_to(store.parent):
        message = f"sync.paths leads to {found}, which is outside of the git repository {store.parent}"
        report.error(message, tree.at("sync", "paths"), ("sync", "paths"))
    return found


def git_store(folder: Path) -> Path | None:
    """The .git of the repository that holds a folder: a folder, or a file in a work tree beside the repository."""
    return next((base / ".git" for base in (folder, *folder.parents) if (base / ".git").exists()), None)


def git_facts(folder: Path) -> dict[str, str]:
    """Branch, commit and origin of the git repository that holds a folder; what is unknown is left out."""
    store = git_store(folder)
    if store is None:
        return {}
    facts = {"bundle_root_path": os.path.relpath(folder, store.parent)}
    if store.is_file():
        store = store.parent / read_line(store).removeprefix("gitdir: ")
    head = read_line(store / "HEAD")
    store = store / read_line(store / "commondir") if (store / "commondir").is_file() else store
    if head.startswith("ref: refs/"):
        reference = head.removeprefix("ref: ").strip()
        facts["branch"] = facts["actual_branch"] = reference.removeprefix("refs/heads/")
        facts["commit"] = read_line(store / reference) or packed_commit(store, reference)
    else:
        facts["commit"] = head
    facts["origin_url"] = origin(store / "config")
    return {key: value for key, value in facts.items() if value}


def git_files(tree: Node, folder: Path) -> list[Path]:
    """The files that say branch, commit and origin, for a bundle that asks for them: `${bundle.git.…}`."""
    asks = any(isinstance(node.value, str) and "${bundle.git." in node.value for _, node in walk(tree))
    store = git_store(folder) if asks else None
    if store is None:
        return []
    if store.is_file():
        store = store.parent / read_line(store).removeprefix("gitdir: ")
    head = store / "HEAD"
    reference = read_line(head).removeprefix("ref: ").strip()
    store = store / read_line(store / "commondir") if (store / "commondir").is_file() else store
    return [head, *(store / name for name in ("config", "packed-refs", reference) if name)]


def packed_commit(store: Path, reference: str) -> str:
    """The commit of a reference that git has packed away."""
    try:
        lines = read_bytes(store / "packed-refs").decode("utf-8", errors="replace").splitlines()
    except SourceError:
        return ""
    return next((line.split(" ")[0] for line in lines if line.endswith(" " + reference)), "")


def origin(config: Path) -> str:
    """The URL of the remote named origin."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string("\n".join(line.strip() for line in read_bytes(config).decode("utf-8").splitlines()))
    except (SourceError, UnicodeDecodeError, configparser.Error):
        return ""
    return parser.get('remote "origin"', "url", fallback="") or ""


def read_line(file: Path) -> str:
    """The first line of a file; empty when it cannot be read."""
    try:
        return (read_bytes(file).decode("utf-8", errors="replace").splitlines() or [""])[0].strip()
    except SourceError:
        return ""
