"""Checks of clusters and of the compute that tasks name. Runs at parse; pure."""

from __future__ import annotations

from collections.abc import Iterator

from medallion.spec.bundle.paths import is_local_dependency
from medallion.spec.bundle.references import is_whole_reference, split_name
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, Node, matches
from medallion.spec.positions import JsonPath
from medallion.spec.problems import did_you_mean

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


OLDEST_RUNTIME = (13, 1)
NEWEST_MINOR = 99
"""What the x of a version such as 13.x stands for."""


def check_wheel_runtimes(tree: Node, report: Report) -> None:
    """Tasks with local libraries run on a runtime that can install them, unless notebooks wrap their wheels."""
    wrapped = tree.at("experimental", "python_wheel_wrapper")
    if wrapped is not None and wrapped.value is True:
        return
    hint = "use 13.3 or later, or experimental.python_wheel_wrapper"
    for at, task in tasks_with_local_libraries(tree):
        for node in versions_of(tree, at, task):
            if node is not None and is_too_old(str(node.value)):
                message = f"task {task.text('task_key')}: the runtime {node.value} cannot install local libraries"
                report.error(message, node, at, hint)


def tasks_with_local_libraries(tree: Node) -> Iterator[tuple[JsonPath, Node]]:
    """Tasks that name a local wheel or JAR, or whose job has an environment with one."""
    for path, job in matches(tree, ("resources", "jobs", ANY)):
        lines = [line for _, line in matches(job, ("environments", ANY, "spec", "dependencies", ANY))]
        shared = any(is_local_dependency(str(line.value)) for line in lines)
        for index, task in enumerate((job.get("tasks") or EMPTY).elements()):
            named = [library.text(kind) for library in (task.get("libraries") or EMPTY).elements() for kind in LOCAL]
            if shared or any(name and is_local_dependency(name) for name in named):
                yield (*path, "tasks", index), task


LOCAL = ("whl", "jar", "egg", "requirements")


def versions_of(tree: Node, at: JsonPath, task: Node) -> Iterator[Node | None]:
    """The runtimes that a task can run on, as far as the bundle says."""
    yield task.at("new_cluster", "spark_version")
    if key := task.text("job_cluster_key"):
        for cluster in (tree.at(*at[:3], "job_clusters") or EMPTY).elements():
            if cluster.text("job_cluster_key") == key:
                yield cluster.at("new_cluster", "spark_version")
    cluster_id = task.text("existing_cluster_id")
    if is_whole_reference(cluster_id):
        yield tree.at(*split_name(cluster_id[2:-1])[:3], "spark_version")


def is_too_old(version: str) -> bool:
    """Whether a runtime is older than the first that installs local libraries; what cannot be read is not."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not major.isdecimal() or not (minor.isdecimal() or minor.startswith("x")):
        return False
    return (int(major), int(minor) if minor.isdecimal() else NEWEST_MINOR) < OLDEST_RUNTIME
