"""What is wrong with a bundle as a whole: keys, required fields, enums, clusters of tasks. Runs at parse; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medallion.spec.bundle.fields import AUTHENTICATION, SINGULAR, root
from medallion.spec.bundle.references import has_reference, reference_names
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.resource_fields import REQUIRED_ELSEWHERE
from medallion.spec.bundle.schema import ListOf, MapOf, Scalar, Schema, Struct
from medallion.spec.bundle.tree import ANY, EMPTY, Node, Places, matches
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean

RESOURCES: tuple[JsonPath, ...] = (("resources", ANY, ANY), ("targets", ANY, "resources", ANY, ANY))


def check_keys(tree: Node, report: Report) -> None:
    """Before a target is chosen: no key of a resource holds a reference, and no two resources share a key."""
    for pattern in RESOURCES:
        for path, node in matches(tree, pattern):
            if has_reference(str(path[-1])):
                report.error(f"the resource key {path[-1]} must not hold a reference", node, path)
    found: dict[str, list[tuple[JsonPath, Places]]] = {}
    named: tuple[JsonPath, ...] = (("resources", ANY, ANY), ("scripts", ANY))
    for pattern in named:
        for path, node in matches(tree, pattern):
            found.setdefault(str(path[-1]), []).append((path, node.places))
    for key, places in found.items():
        if sum(len(spots) for _, spots in places) > 1:
            report.error_everywhere(f"several resources or scripts have the key {key}", places)


ENGINES = ("direct", "terraform")


def check_settings(tree: Node, report: Report) -> None:
    """After a target is chosen: resources have a value, and some settings hold no references."""
    engine = tree.at("bundle", "engine")
    if engine is not None and engine.value not in ENGINES:
        report.error(
            f"bundle.engine is {engine.value}; it must be one of {', '.join(ENGINES)}", engine, ("bundle", "engine")
        )
    if engine is not None and engine.value == "terraform":
        report.warning("the engine terraform is deprecated", engine, ("bundle", "engine"), "use the engine direct")
    for path, node in matches(tree, ("resources", ANY, ANY)):
        if node.value is None:
            report.error(f"{SINGULAR.get(str(path[1]), path[1])} {path[2]} is not defined", node, path)
    for key in AUTHENTICATION:
        if has_reference(tree.text("workspace", key)):
            message = f"workspace.{key} configures authentication and cannot hold a reference"
            report.warning(message, tree.at("workspace", key), ("workspace", key))
    if has_reference(tree.text("bundle", "name")):
        message = "bundle.name should hold no reference: it is part of the path that the bundle is deployed to"
        report.warning(message, tree.at("bundle", "name"), ("bundle", "name"))
    check_scripts(tree, report)


def check_scripts(tree: Node, report: Report) -> None:
    """Scripts have content, which goes to the shell as it is."""
    for path, script in matches(tree, ("scripts", ANY)):
        content = script.text("content")
        if not content:
            report.error(f"script {path[1]} has no content", script, (*path, "content"))
        for name in reference_names(content)[:1]:
            message = f"script {path[1]} holds ${{{name}}}; references are not replaced in a script's content"
            report.error(message, script.get("content"), (*path, "content"), "declare it under env and use $NAME")
        for key, value in (script.get("env") or EMPTY).items():
            for name in reference_names(str(value.value)):
                if name.split(".")[0] not in {"bundle", "workspace", "var", "variables"}:
                    message = f"${{{name}}} cannot be used in the environment of a script"
                    report.error(message, value, (*path, "env", key), "use bundle, workspace or var")


ALERT_DEPTH = 3
"""Steps to an alert. One that has a file_path takes its fields from that file, which is not read here."""


def check_fields(tree: Node, report: Report) -> None:
    """Required fields that are not set, and words that an enum does not have: warnings, as in the CLI."""
    found = list(structs(tree, root(), ()))
    for path, node, schema in found:
        from_file = len(path) == ALERT_DEPTH and path[1] == "alerts" and node.get("file_path") is not None
        for name in schema.required if not from_file else ():
            value = node.get(name)
            if value is None or value.value is None:
                report.warning(f"required field {name} is not set", node, path)
    for kind, names in REQUIRED_ELSEWHERE.items():
        for path, node in matches(tree, ("resources", kind, ANY)):
            for name in (name for name in names if node.kind == "map" and node.get(name) is None):
                report.warning(f"required field {name} is not set", node, path)
    check_words(found, report)


def check_other_kinds(tree: Node, report: Report) -> None:
    """What resources that do not run here must have, and must not."""
    for kind, names in NEEDED.items() if not report.failed else ():  # else a value may lack for another reason
        for path, node in matches(tree, ("resources", kind, ANY)):
            for name in (name for name in names if node.kind == "map" and not node.text(name).strip()):
                report.error(f"a {SINGULAR[kind]} needs a {name}", node, path)
    for kind, name in OF_THE_DEPLOYMENT.items():
        for path, node in matches(tree, ("resources", kind, ANY, name)):
            at = tree.at(*path[:3]) if name == "etag" else node
            report.error(f"{name} is set by the deployment", at, path, "remove it")
    for path, node in matches(tree, ("resources", "genie_spaces", ANY)):
        if node.get("file_path") is not None and node.get("serialized_space") is not None:
            report.error("file_path and serialized_space are both set", node.get("serialized_space"), path)
    for path, item in matches(tree, ("resources", "secret_scopes", ANY, "permissions", ANY)):
        if not any(item.text(name) for name in ("user_name", "group_name", "service_principal_name")):
            report.error("a permission of a secret scope names nobody", tree.at(*path[:3]), path)


NEEDED = {"dashboards": ("display_name", "warehouse_id"), "sql_warehouses": ("name",)}
OF_THE_DEPLOYMENT = {"dashboards": "etag", "genie_spaces": "etag", "job_runs": "idempotency_token"}


def check_words(found: Iterable[tuple[JsonPath, Node, Struct]], report: Report) -> None:
    """Words that an enum does not have."""
    for path, node, schema in found:
        for name, value in node.items():
            field = schema.fields.get(name)
            if isinstance(field, ListOf):
                for index, item in enumerate(value.elements()):
                    check_word(item, field.item, (*path, name, index), report)
            elif value.value != "" or name in schema.required:
                check_word(value, field, (*path, name), report)


def check_word(node: Node, schema: Schema | None, at: JsonPath, report: Report) -> None:
    """A word that an enum does not have."""
    if not isinstance(schema, Scalar) or not schema.words or node.kind != "string":
        return
    if node.value in schema.words or has_reference(node.value):
        return
    field = next(step for step in reversed(at) if isinstance(step, str))
    message = f'"{node.value}" is not a value of {field}: it must be one of {", ".join(sorted(schema.words))}'
    report.warning(message, node, at, did_you_mean(node.value, schema.words))


def structs(node: Node, schema: Schema, at: JsonPath) -> Iterator[tuple[JsonPath, Node, Struct]]:
    """Every object that has fields, with its path and schema."""
    if isinstance(schema, Struct):
        yield at, node, schema
        for key, item in node.items():
            if key in schema.fields:
                yield from structs(item, schema.fields[key], (*at, key))
    elif isinstance(schema, MapOf):
        for key, item in node.items():
            yield from structs(item, schema.item, (*at, key))
    elif isinstance(schema, ListOf):
        for index, item in enumerate(node.elements()):
            yield from structs(item, schema.item, (*at, index))


def check_grants(tree: Node, report: Report) -> None:
    """A grant names who gets what."""
    for path, grant in matches(tree, ("resources", ANY, ANY, "grants", ANY)):
        for field in ("principal", "privileges"):
            value = grant.get(field)
            if value is None or not value.value:
                report.error(f"grant {field} is required", grant, path)


def check_deployment(tree: Node, report: Report) -> None:
    """The ids of a deployment are not the user's to set."""
    for kind in ("jobs", "pipelines"):
        for path, node in matches(tree, ("resources", kind, ANY, "deployment")):
            for name in ("deployment_id", "version_id"):
                if node.get(name) is not None:
                    report.error(f"{name} is set by the deployment", node.get(name), (*path, name), "remove it")
