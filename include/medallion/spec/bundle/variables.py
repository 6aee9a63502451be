"""Values of a bundle's variables, and lookup of `${…}` names. Runs wherever bundles are read.

Precedence (reference §17.3): --var, BUNDLE_VAR_<name>, lookup, variable-overrides.json, the target's default, the
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medallion.spec.bundle.fields import LOOKUP, root
from medallion.spec.bundle.normalize import normalize, zero
from medallion.spec.bundle.references import UnresolvedError, descend, missing, resolve_tree
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.schema import Anything, ListOf, MapOf, Schema, Struct
from medallion.spec.bundle.tree import EMPTY, NIL, Node, child, put, rewrite
from medallion.spec.bundle.yaml import read_yaml
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean
from medallion.spec.source import SourceError

PREFIX = "BUNDLE_VAR_"
OVERRIDES = ".databricks/bundle/{target}/variable-overrides.json"
NAMESPACES = ("bundle", "workspace", "variables")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values of variables come from.

    :param given: `--var` and the like.
    :param environ: the environment.
    :param lookups: ids by kind and name, such as `{"warehouse": {"Shared": "abc"}}`, as there is no workspace to ask.
    """

    given: Mapping[str, str]
    environ: Mapping[str, str]
    lookups: Mapping[str, Mapping[str, str]]


def set_values(tree: Node, sources: Sources, folder: Path, target: str, report: Report, read: list[Path]) -> Node:
    """The tree with `value` set in every variable that has one; the others are reported."""
    declared = dict((tree.get("variables") or EMPTY).items())
    for name in sources.given:
        if name not in declared:
            hint = did_you_mean(name, declared) or "declare it under variables"
            report.error(f"variable {name} has not been defined", tree.get("variables"), ("variables", name), hint)
    overrides = read_overrides(folder, target, report, read)
    for name, variable in declared.items():
        variable = Node({}, variable.places, {}) if variable.value is None else variable
        value = value_of(name, variable, sources, overrides, report)
        tree = put(tree, ("variables", name), put(variable, ("value",), value) if value is not None else variable)
    return tree


def value_of(name: str, variable: Node, sources: Sources, overrides: Node, report: Report) -> Node | None:
    """The value of a variable; None when a lookup is to find it, or when there is none."""
    at = ("variables", name)
    is_complex = variable.text("type") == "complex"
    set_in_file = variable.get("value")
    if set_in_file is not None and set_in_file.value is not None:
        if name in sources.given:
            report.error(f"variable {name} has a value already; --var cannot set it", set_in_file, (*at, "value"))
        return set_in_file
    for origin, text in (("--var", sources.given.get(name)), (PREFIX + name, sources.environ.get(PREFIX + name))):
        if text is None:
            continue
        if is_complex:
            message = f"variable {name} is complex; {origin} cannot set it"
            report.error(message, variable, at, "use variable-overrides.json")
            return None
        return Node(text)
    lookup = variable.get("lookup")
    if lookup is not None and lookup.value is not None:
        return None
    override = overrides.get(name)
    if override is not None and override.value is not None:
        has_complex = override.kind in {"map", "sequence"}
        if is_complex != has_complex:
            kinds = ("complex", "not complex") if is_complex else ("not complex", "complex")
            message = f"variable {name} is {kinds[0]} and its value in variable-overrides.json is {kinds[1]}"
            report.error(message, override, at)
            return None
        return override
    default = variable.get("default")
    if default is not None and default.value is not None:
        return default
    hint = f"give it a default, --var {name}=…, {PREFIX}{name} or {OVERRIDES.format(target='<target>')}"
    report.error(f"no value assigned to required variable {name}", variable, at, hint)
    return None


def read_overrides(folder: Path, target: str, report: Report, read: list[Path]) -> Node:
    """Values that the user keeps beside the bundle, by variable; empty when there are none."""
    file = folder / OVERRIDES.format(target=target)
    if not file.is_file():
        return EMPTY
    read.append(file)
    try:
        tree, _ = read_yaml(file)
    except SourceError as error:
        report.problems.append(error.problem)
        return EMPTY
    if tree.kind != "map":
        report.error("variable-overrides.json must hold an object of values by variable", tree)
        return EMPTY
    return tree


@dataclass(frozen=True, slots=True)
class Scope:
    """What names in `${…}` mean for one pass."""

    tree: Node
    in_lookups: bool = False

    def find(self, steps: JsonPath, name: str) -> Node | None:
        """The value of a name; None for namespaces that are resolved later. Raises UnresolvedError."""
        if steps[0] == "var":
            if len(steps) < 2:
                raise missing(name, self.tree.get("variables") or EMPTY, "")
            return self.variable(steps, name)
        if steps[0] not in NAMESPACES:
            return None
        return self.field(steps, name)

    def variable(self, steps: JsonPath, name: str) -> Node | None:
        """The value of a variable, or a part of it; None when it has none."""
        variables = self.tree.get("variables") or EMPTY
        variable = child(variables, steps[1])
        if variable is None:
            raise missing(name, variables, steps[1])
        lookup = variable.get("lookup")
        if self.in_lookups and lookup is not None and lookup.value is not None:
            raise UnresolvedError("a lookup cannot refer to another variable with a lookup")
        value = variable.get("value")
        if value is None:  # already reported where the variable is declared
            return None
        return descend(value, steps[2:], name)

    def field(self, steps: JsonPath, name: str) -> Node:
        """A field of the bundle's own settings; one that is not set reads as empty."""
        node: Node = self.tree
        schema: Schema = root()
        for step in steps:
            known = schema.fields if isinstance(schema, Struct) else {}
            schema = below(schema, step)
            found = child(node, step)
            if step in known and (found is None or found.value is None):
                found = zero(schema)
            if found is None:
                raise missing(name, node, step, list(known))
            node = found
        return node


def below(schema: Schema, step: str | int) -> Schema:
    """The schema one step down; anything where it says nothing."""
    if isinstance(schema, Struct):
        return schema.fields.get(str(step), NOTHING)
    return schema.item if isinstance(schema, (MapOf, ListOf)) else NOTHING


NOTHING = Anything()


def refit(tree: Node, report: Report) -> Node:
    """The tree fitted to its fields again: a reference may have brought a number into a text."""
    return normalize(root(), tree, report) or EMPTY


def resolve_lookups(tree: Node, sources: Sources, report: Report) -> Node:
    """Variables with a lookup get the id that the user's map gives for the name."""

    def resolve(at: JsonPath, lookup: Node) -> Node:
        return resolve_tree(lookup, at, Scope(tree, in_lookups=True).find, report, lambda node: node)

    tree = rewrite(tree, ("variables", "*", "lookup"), resolve)
    for name, variable in (tree.get("variables") or EMPTY).items():
        lookup = variable.get("lookup")
        if lookup is None or lookup.value is None or variable.get("value") is not None:
            continue
        found = look_up(name, lookup, sources, report)
        tree = put(tree, ("variables", name, "value"), found or Node("", lookup.places))
    return tree


def look_up(name: str, lookup: Node, sources: Sources, report: Report) -> Node | None:
    """The id for one lookup, or None after reporting why there is none."""
    at = ("variables", name, "lookup")
    asked = [(kind, node) for kind, node in lookup.items() if node.value]
    if len(asked) != 1:
        report.error(f"variable {name}: a lookup names exactly one of {', '.join(LOOKUP.fields)}", lookup, at)
        return None
    kind, wanted = asked[0]
    known = sources.lookups.get(kind, {})
    if wanted.value in known:
        return Node(known[wanted.value], wanted.places)
    message = f"variable {name}: no id is known for the {kind} {wanted.value}, and there is no workspace to ask"
    if kind == "warehouse":
        hint = "its name stands in for the id; [lookups.warehouse] in medallion.toml gives the id"
        report.warning(message, wanted, (*at, kind), did_you_mean(str(wanted.value), known) or hint)
        return Node(str(wanted.value), wanted.places)
    hint = did_you_mean(str(wanted.value), known) or (
        f"set it: --var {name}=<id>, {PREFIX}{name}, or [lookups.{kind}] in medallion.toml"
    )
    report.error(message, wanted, (*at, kind), hint)
    return None


def resolve_outside_resources(tree: Node, report: Report) -> Node:
    """References everywhere but in the resources."""
    resources = tree.get("resources")
    rest = EMPTY if resources is None else resources
    bare = put(tree, ("resources",), NIL)
    state = [bare]

    def find(steps: JsonPath, name: str) -> Node | None:
        return Scope(state[0]).find(steps, name)

    def again(node: Node) -> Node:
        state[0] = refit(node, report)
        return state[0]

    resolved = resolve_tree(bare, (), find, report, again)
    return put(resolved, ("resources",), rest) if resources is not None else resolved


def resolve_in_resources(tree: Node, report: Report) -> Node:
    """References to bundle, workspace and variables in the resources."""
    resources = tree.get("resources")
    if resources is None:
        return tree
    schema = root().fields["resources"]

    def again(node: Node) -> Node:
        return normalize(schema, node, report, ("resources",)) or EMPTY

    resolved = resolve_tree(resources, ("resources",), Scope(tree).find, report, again)
    return put(tree, ("resources",), resolved)
