"""Development mode, presets, run_as and the compute override. Runs wherever bundles are read; pure.

Rules: reference §17.2. Presets come before defaults, so development's four concurrent runs win over the default of one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from medallion.spec.bundle.fields import WORKSPACE_PATHS
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node, drop, made, put
from medallion.spec.bundle.workspace import User, plain_name, tag_value

DEVELOPMENT_RUNS = 4
PAUSED, UNPAUSED = "PAUSED", "UNPAUSED"
TRIGGERS = ("schedule", "continuous", "trigger")
PREFIXED = {
    "models": "name",
    "clusters": "cluster_name",
    "instance_pools": "instance_pool_name",
    "dashboards": "display_name",
    "genie_spaces": "title",
    "alerts": "display_name",
    "sql_warehouses": "name",
}
"""Other resources whose name takes the prefix as it is."""

PREFIXED_PLAINLY = ("model_serving_endpoints", "registered_models", "schemas")
"""Resources whose name takes the prefix with letters, digits and _ only."""


def apply_mode(tree: Node, user: User) -> Node:
    """Development mode fills in the presets that are not set."""
    if tree.text("bundle", "mode") != "development":
        return tree
    if not tree.text("presets", "name_prefix"):
        tree = put(tree, ("presets", "name_prefix"), Node(f"[dev {user.short_name}] "))
    if tree.at("presets", "tags", "dev") is None:
        tree = put(tree, ("presets", "tags", "dev"), Node(tag_value(user.short_name)))
    if not (tree.at("presets", "jobs_max_concurrent_runs") or EMPTY).value:
        tree = put(tree, ("presets", "jobs_max_concurrent_runs"), Node(DEVELOPMENT_RUNS))
    if not tree.text("presets", "trigger_pause_status"):
        tree = put(tree, ("presets", "trigger_pause_status"), Node(PAUSED))
    development = tree.at("presets", "pipelines_development")
    if development is None or development.value is not False:
        tree = put(tree, ("presets", "pipelines_development"), Node(value=True))
    return tree


def each(tree: Node, kind: str) -> list[tuple[str, Node]]:
    """The resources of a kind that are defined."""
    return [(key, node) for key, node in (tree.at("resources", kind) or EMPTY).items() if node.kind == "map"]


def is_empty(node: Node | None) -> bool:
    """Whether a value counts as not set: it is missing, null, or the zero of its type."""
    return node is None or (not node.value and node.kind not in {"map", "sequence"})


def apply_presets(tree: Node, report: Report) -> Node:
    """Name prefix, tags, concurrent runs and pause status on all resources."""
    presets = tree.get("presets") or EMPTY
    status = presets.text("trigger_pause_status")
    if status not in {"", PAUSED, UNPAUSED}:
        at = ("presets", "trigger_pause_status")
        report.error(f"trigger_pause_status is {status}; it must be PAUSED or UNPAUSED", presets.get(at[1]), at)
    for key, job in each(tree, "jobs"):
        tree = put(tree, ("resources", "jobs", key), preset_job(job, presets))
    for key, pipeline in each(tree, "pipelines"):
        tree = put(tree, ("resources", "pipelines", key), preset_pipeline(pipeline, presets))
    return tag_others(prefix_others(tree, presets.text("name_prefix")), presets)


def preset_job(job: Node, presets: Node) -> Node:
    """A job with the presets."""
    job = prefix_name(job, "name", presets.text("name_prefix"))
    job = add_tags(job, presets)
    runs = presets.get("jobs_max_concurrent_runs")
    if is_empty(job.get("max_concurrent_runs")) and runs is not None and runs.value:
        job = put(job, ("max_concurrent_runs",), runs)
    status = presets.text("trigger_pause_status")
    for trigger in TRIGGERS if status else ():
        block = job.get(trigger)
        if block is not None and block.kind == "map" and not block.text("pause_status"):
            job = put(job, (trigger, "pause_status"), Node(UNPAUSED if status == UNPAUSED else PAUSED))
    return job


def preset_pipeline(pipeline: Node, presets: Node) -> Node:
    """A pipeline with the presets."""
    pipeline = prefix_name(pipeline, "name", presets.text("name_prefix"))
    development = presets.get("pipelines_development")
    if development is not None and development.value is True:
        pipeline = put(pipeline, ("development",), Node(value=True))
    if presets.text("trigger_pause_status") == PAUSED and pipeline.get("continuous") is not None:
        pipeline = put(pipeline, ("continuous",), Node(value=False))
    return add_tags(pipeline, presets)


def prefix_name(resource: Node, field: str, prefix: str) -> Node:
    """A resource with a prefix to its name."""
    old = resource.get(field)
    if not prefix:
        return resource
    return put(resource, (field,), Node(prefix + resource.text(field), old.places if old else ()))


def add_tags(resource: Node, presets: Node) -> Node:
    """A resource with the presets' tags; its own win."""
    for name, value in sorted((presets.get("tags") or EMPTY).items()):
        if not resource.text("tags", name):
            resource = put(resource, ("tags", name), value)
    return resource


def tag_others(tree: Node, presets: Node) -> Node:
    """The presets' tags on clusters, models and experiments; their own win."""
    tags = sorted((presets.get("tags") or EMPTY).items())
    for kind in ("clusters", "instance_pools") if tags else ():
        for key, resource in each(tree, kind):
            for name, value in tags:
                tag = tag_value(name)
                if resource.at("custom_tags", tag) is None:
                    resource = put(resource, ("custom_tags", tag), Node(tag_value(str(value.value))))
            tree = put(tree, ("resources", kind, key), resource)
    for kind in ("models", "experiments") if tags else ():
        for key, resource in each(tree, kind):
            listed = list((resource.get("tags") or EMPTY).elements())
            known = {item.text("key") for item in listed}
            listed += [made({"key": name, "value": value.value}) for name, value in tags if name not in known]
            tree = put(tree, ("resources", kind, key, "tags"), Node(listed))
    return tree


def prefix_others(tree: Node, prefix: str) -> Node:
    """The name prefix on resources that are neither jobs nor pipelines."""
    if not prefix:
        return tree
    for kind, field in PREFIXED.items():
        for key, resource in each(tree, kind):
            tree = put(tree, ("resources", kind, key), prefix_name(resource, field, prefix))
    skipped = tree.at("experimental", "skip_name_prefix_for_schema")
    for kind in PREFIXED_PLAINLY:
        if kind == "schemas" and skipped is not None and skipped.value is True:
            continue
        for key, resource in each(tree, kind):
            tree = put(tree, ("resources", kind, key), prefix_name(resource, "name", plain_prefix(prefix)))
    for key, experiment in each(tree, "experiments"):
        folder, name = posixpath.split(experiment.text("name"))
        renamed = posixpath.join(folder, prefix + name)
        tree = put(tree, ("resources", "experiments", key, "name"), Node(renamed))
    return tree


def plain_prefix(prefix: str) -> str:
    """`[dev anna] ` as `dev_anna_`."""
    bare = prefix.replace("[", "").strip(" ")
    return plain_name(bare) + ("_" if bare.endswith("]") else "")


def set_run_as(tree: Node, user: User, report: Report) -> Node:
    """The bundle's run_as on every job, pipeline and alert that has none of its own."""
    run_as = tree.get("run_as")
    if run_as is None or run_as.value is None:
        return tree
    people = {key: run_as.text(key) for key in ("service_principal_name", "user_name") if run_as.text(key)}
    legacy = tree.at("experimental", "use_legacy_run_as")
    if legacy is not None and legacy.value is True:
        report.warning("use_legacy_run_as is experimental", legacy, ("experimental", "use_legacy_run_as"))
        return copy_run_as(tree, people, ("jobs",))
    if len(people) != 1:
        found = "both user_name and service_principal_name are" if people else "none is"
        report.error(f"run_as must name exactly one identity; {found} set", run_as, ("run_as",))
        return tree
    if user.name not in people.values():
        for kind in ("model_serving_endpoints", "quality_monitors", "apps"):
            if (found_kind := tree.at("resources", kind)) is not None and found_kind.value:
                other = next(iter(people.values()))
                message = f"{kind} cannot run as another user than their owner; the bundle's run_as is {other}"
                report.error(message, found_kind, ("resources", kind))
    return copy_run_as(tree, people, ("jobs", "pipelines", "alerts"))


def copy_run_as(tree: Node, people: Mapping[str, str], kinds: tuple[str, ...]) -> Node:
    """The identity on resources of these kinds."""
    for kind in kinds:
        for key, resource in each(tree, kind):
            own = resource.get("run_as")
            if own is None or own.value is None:
                tree = put(tree, ("resources", kind, key, "run_as"), made(dict(people)))
    return tree


def override_compute(tree: Node, environ: Mapping[str, str], report: Report) -> Node:
    """One cluster for all tasks that name compute: bundle.cluster_id, or DATABRICKS_CLUSTER_ID in development."""
    mode = tree.text("bundle", "mode")
    cluster = tree.text("bundle", "cluster_id")
    if mode == "production" and cluster:
        message = "a cluster override is not recommended for a target in production mode"
        report.warning(message, tree.at("bundle", "cluster_id"), ("bundle", "cluster_id"))
    if given := environ.get("DATABRICKS_CLUSTER_ID"):
        if mode != "development":
            report.warning("DATABRICKS_CLUSTER_ID is set and ignored: the target is not in development mode")
            return tree
        cluster = given
    if not cluster:
        return tree
    for key, job in each(tree, "jobs"):
        for index in range(len((job.get("tasks") or EMPTY).elements())):
            at: tuple[str | int, ...] = ("tasks", index)
            if job.at(*at, "for_each_task") is not None:
                at = (*at, "for_each_task", "task")
            task = job.at(*at)
            if task is not None:
                job = put(job, at, on_cluster(task, cluster))
        tree = put(tree, ("resources", "jobs", key), job)
    return tree


def on_cluster(task: Node, cluster: str) -> Node:
    """A task that names compute, on another cluster."""
    named = ("new_cluster", "existing_cluster_id", "environment_key", "job_cluster_key")
    if all(is_empty(task.get(name)) and (task.get(name) is None or task.get(name).value is None) for name in named):  # type: ignore[union-attr]
        return task
    for name in named:
        task = drop(task, name)
    return put(task, ("existing_cluster_id",), Node(cluster))


def check_mode(tree: Node, target: Node, user: User, report: Report) -> None:
    """What a target's mode forbids."""
    mode = tree.text("bundle", "mode")
    if mode == "development":
        check_development(tree, user, report)
    elif mode == "production":
        check_production(tree, target, user, report)
    elif mode:
        at = ("bundle", "mode")
        report.error(f"mode is {mode}; it must be development or production", tree.at(*at), at)


def check_development(tree: Node, user: User, report: Report) -> None:
    """A development target must not collide with another user's and must not fire by itself."""
    presets = tree.get("presets") or EMPTY
    if presets.text("trigger_pause_status") == UNPAUSED:
        at = ("presets", "trigger_pause_status")
        message = "a target in development mode cannot have triggers UNPAUSED by default"
        report.error(message, presets.get(at[1]), at)
    for key in ("root_path", *WORKSPACE_PATHS[1:]):
        path = tree.text("workspace", key)
        if path and user.name not in path and user.short_name not in path:
            message = f"{key} must start with ~/ or hold the user's name in development mode"
            report.error(message, tree.at("workspace", key), ("workspace", key))
            break
    prefix = presets.text("name_prefix")
    names = (user.name, user.short_name, user.domain_friendly_name)
    if prefix and not any(name and name in prefix for name in names):
        at = ("presets", "name_prefix")
        hint = "use ${workspace.current_user.short_name}"
        report.error("name_prefix must hold the user's name in development mode", presets.get(at[1]), at, hint)


def check_production(tree: Node, target: Node, user: User, report: Report) -> None:
    """A production target needs a root path of its own and no pipeline in development."""
    for key, pipeline in each(tree, "pipelines"):
        flag = pipeline.get("development")
        if flag is not None and flag.value is True:
            where = ("resources", "pipelines", key, "development")
            report.error("a target in production mode cannot have a pipeline in development", flag, where)
            return
    if target.text("workspace", "root_path"):
        return
    jobs = each(tree, "jobs")
    all_run_as = all((job.get("run_as") or EMPTY).value for _, job in jobs)
    at = ("workspace", "root_path")
    hint = f"for example /Workspace/Users/{user.name}/.bundle/${{bundle.name}}/${{bundle.target}}"
    if all_run_as or user.is_service_principal:
        report.note("a target in production mode should set workspace.root_path", target, at, hint)
    else:
        report.error("a target in production mode must set workspace.root_path", target, at, hint)
