"""Choosing a target and laying its overrides over the bundle. Runs wherever bundles are read; pure.

Order and rules: reference §17.2 and §17.6. Most sections merge; variables, run_as, mode and cluster_id replace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from medallion.spec.bundle.merge import MergeError, merge
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, NIL, Node, drop, matches, put, rewrite
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean

MERGED = ("bundle", "workspace", "artifacts", "resources", "sync", "permissions", "presets")
IMPLICIT = "default"
FULL_FORMS = (
    {"default"},
    {"lookup"},
    {"default", "type"},
    {"default", "description"},
    {"lookup", "description"},
    {"default", "type", "description"},
)
"""Keys of a variable's override that are written out; any other mapping is the value itself."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A bundle with one target's overrides.

    :param name: the target's name.
    :param target: the target as it was written, before it was merged.
    """

    tree: Node
    name: str
    target: Node


def write_out_variables(tree: Node) -> Node:
    """A file's tree with short overrides of variables (`x: 5`) written out (`x: {default: 5}`)."""

    def write_out(path: JsonPath, node: Node) -> Node:
        if node.kind in {"nil", "time"} or (node.kind == "map" and set(node.value) in FULL_FORMS):
            return node
        values = {"default": node}
        kind = tree.at("variables", path[-1], "type")
        if kind is not None and kind.value == "complex":
            values["type"] = kind
        return Node(values, node.places, dict.fromkeys(values, node.places))

    return rewrite(tree, ("targets", ANY, "variables", ANY), write_out)


def rename_old_keys(tree: Node, report: Report) -> Node:
    """`environments` is the old word for targets, `compute_id` for cluster_id."""
    old = tree.get("environments")
    if old is not None:
        if tree.get("targets") is not None:
            report.error("both environments and targets are set", old, ("environments",), "keep targets only")
        else:
            tree = put(tree, ("targets",), old, (tree.keys or {}).get("environments", ()))
        tree = drop(tree, "environments")

    def rename(path: JsonPath, node: Node) -> Node:
        value = node.get("compute_id")
        if value is None:
            return node
        report.warning("compute_id is the old word for cluster_id", value, (*path, "compute_id"), "use cluster_id")
        return drop(put(node, ("cluster_id",), value), "compute_id")

    return rewrite(rewrite(tree, ("bundle",), rename), ("targets", ANY), rename)


def choose_target(tree: Node, asked: str | None, report: Report) -> str | None:
    """The name of the target: the one asked for, the only one, the default one. None when there is no choice."""
    targets: dict[str, Node] = dict((tree.get("targets") or EMPTY).items())
    names = list(targets) or [IMPLICIT]
    if asked is not None:
        if asked in names:
            return asked
        known = ", ".join(sorted(names))
        hint = did_you_mean(asked, names) or f"targets are {known}"
        report.error(f"{asked}: no such target", tree.get("targets"), ("targets",), hint)
        return None
    if len(names) == 1:
        return names[0]
    defaults = [name for name in names if (flag := targets[name].get("default")) is not None and flag.value is True]
    if len(defaults) == 1:
        return defaults[0]
    if not defaults:
        hint = "name one, or mark one with `default: true`; there are " + ", ".join(names)
        report.error("the bundle has several targets and none is the default", tree.get("targets"), ("targets",), hint)
        return None
    message = f"several targets are marked as default: {', '.join(sorted(defaults))}"
    report.error(message, targets[defaults[1]].get("default"), ("targets", defaults[1], "default"))
    return None


def select_target(tree: Node, name: str, report: Report) -> Selected:
    """The bundle with a target's overrides laid over it, and without its targets."""
    target = tree.at("targets", name) or EMPTY
    if target.value is None:
        target = EMPTY
    check_variables(tree, target, name, report)
    for section in MERGED:
        tree = merge_section(tree, target, section, name, report)
    for variable, override in (target.get("variables") or EMPTY).items():
        tree = override_variable(tree, variable, override)
    if (run_as := target.get("run_as")) is not None:
        tree = put(tree, ("run_as",), run_as)
    for key in ("mode", "cluster_id"):
        if (value := target.get(key)) is not None:
            tree = put(tree, ("bundle", key), value)
    if (git := target.get("git")) is not None:
        own = tree.at("bundle", "git")
        tree = put(tree, ("bundle", "git"), merge(own, git) if own is not None else git)
    for key in ("target", "environment"):
        tree = put(tree, ("bundle", key), Node(name))
    return Selected(drop(tree, "targets"), name, target)


def merge_section(tree: Node, target: Node, section: str, name: str, report: Report) -> Node:
    """One section of a target merged into the bundle's."""
    own, override = tree.get(section), target.get(section)
    if override is None:
        return tree

    def conflict(error: MergeError) -> None:
        report.error(f"target {name}: {error} that it overrides", error.node, ("targets", name, section))

    merged = merge(own, override, conflict) if own is not None else override
    return put(tree, (section,), merged, (target.keys or {}).get(section, ()))


def check_variables(tree: Node, target: Node, name: str, report: Report) -> None:
    """A target can only give values to variables that the bundle has."""
    variables = [variable for variable, _ in (tree.get("variables") or EMPTY).items()]
    for path, node in matches(target, ("variables", ANY)):
        variable = str(path[-1])
        if variable not in variables:
            at = ("targets", name, "variables", variable)
            hint = did_you_mean(variable, variables) or "declare it under variables"
            report.error(f"variable {variable} is not defined but is assigned a value", node, at, hint)


def override_variable(tree: Node, variable: str, override: Node) -> Node:
    """A variable with a target's default or lookup; the one puts the other out of force."""
    own = tree.at("variables", variable)
    if own is None:
        return tree
    own = EMPTY if own.value is None else own
    for key, other in (("default", "lookup"), ("lookup", "default")):
        value = override.get(key)
        if value is not None:
            own = put(own, (key,), value)
            own = put(own, (other,), NIL)
    return put(tree, ("variables", variable), replace(own, places=own.places))
