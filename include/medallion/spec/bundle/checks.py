"""What is wrong with a bundle as a whole: keys, required fields, enums, clusters of tasks. Runs at parse; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medallion.spec.bundle.fields import AUTHENTICATION, REQUIRED_ELSEWHERE, SINGULAR, root
from medallion.spec.bundle.references import has_reference, reference_names
from medallion.spec.bundle.report import Report
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


def check_fields(tree: Node, report: Report) -> None:
    """Required fields that are not set, and words that an enum does not have: warnings, as in the CLI."""
    found = list(structs(tree, root(), ()))
    for path, node, schema in found:
        for name in schema.required:
            value = node.get(name)
            if value is None or value.value is None:
                report.warning(f"required field {name} is not set", node, path)
    for kind, names in REQUIRED_ELSEWHERE.items():
        for path, node in matches(tree, ("resources", kind, ANY)):
            for name in (name for name in names if node.kind == "map" and node.get(name) is None):
                report.warning(f"required field {name} is not set", node, path)
    check_words(found, report)


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


COMPUTE = ("job_cluster_key", "environment_key", "existing_cluster_id", "new_cluster")
NEED_COMPUTE = ("python_wheel_task", "dbt_task", "spark_jar_task", "spark_submit_task", "spark_python_task")
SINGLE_NODE = {
    ("spark_conf", "spark.databricks.cluster.profile"): "singleNode",
    ("spark_conf", "spark.master"): "local",
    ("custom_tags", "ResourceClass"): "SingleNode",
}
CLUSTERS: tuple[JsonPath, ...] = (
    ("resources", "clusters", ANY),
    ("resources", "jobs", ANY, "job_clusters", ANY, "new_cluster"),
    ("resources", "jobs", ANY, "tasks", ANY, "new_cluster"),
    ("resources", "jobs", ANY, "tasks", ANY, "for_each_task", "task", "new_cluster"),
    ("resources", "pipelines", ANY, "clusters", ANY),
)


def check_single_node(tree: Node, report: Report) -> None:
    """A cluster without workers must be set up as a single node."""
    for pattern in CLUSTERS:
        for path, cluster in matches(tree, pattern):
            workers, flag = cluster.get("num_workers"), cluster.get("is_single_node")
            if workers is None or workers.kind != "int" or workers.value > 0 or cluster.text("policy_id"):
                continue
            if flag is not None and flag.value is True:
                continue
            if not all(is_set(cluster, field, key, word) for (field, key), word in SINGLE_NODE.items()):
                hint = "set is_single_node, or spark_conf and custom_tags for a single node"
                report.warning("the cluster has no workers and is not set up as a single node", cluster, path, hint)


def is_set(cluster: Node, field: str, key: str, word: str) -> bool:
    """Whether a cluster has one setting of a single node; a Spark master may name its threads after it."""
    text = cluster.text(field, key)
    return text.startswith(word) if word == "local" else text == word


def check_job_compute(tree: Node, report: Report) -> None:
    """Cluster keys of tasks exist, and tasks that need compute name one."""
    for path, job in matches(tree, ("resources", "jobs", ANY)):
        keys = {cluster.text("job_cluster_key") for cluster in (job.get("job_clusters") or EMPTY).elements()}
        for index, task in enumerate((job.get("tasks") or EMPTY).elements()):
            at = (*path, "tasks", index)
            check_task_compute(task, keys, at, report)
            inner = task.at("for_each_task", "task")
            if inner is not None:
                check_task_compute(inner, keys, (*at, "for_each_task", "task"), report)


def check_task_compute(task: Node, keys: set[str], at: JsonPath, report: Report) -> None:
    """One task's compute."""
    key = task.text("job_cluster_key")
    if key and key not in keys:
        hint = did_you_mean(key, keys) or "define it under job_clusters"
        where = (*at, "job_cluster_key")
        report.warning(f"job_cluster_key {key} is not defined", task.get("job_cluster_key"), where, hint)
    given = {name for name, value in task.items() if value.value not in (None, "")}
    named = [name for name in COMPUTE if name in given]
    needs = next((name for name in NEED_COMPUTE if name in given), None)
    if needs and not named and task.get("notebook_task") is None:
        message = f"task {task.text('task_key')} needs a cluster or an environment for its {needs}"
        report.error(message, task, at, f"set one of {', '.join(COMPUTE)}")
