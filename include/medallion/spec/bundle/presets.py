"""Presets, run_as and the compute override. Runs wherever bundles are read; pure.

Rules: reference §17.2. Presets come before defaults, so development's four concurrent runs win over the default of one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node, drop, made, put
from medallion.spec.bundle.workspace import User, plain_name, tag_value

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
    tree = pause_others(tree, status)
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


def pause_others(tree: Node, status: str) -> Node:
    """Schedules of alerts with the pause status; a monitor's schedule, which cannot pause, goes when it is PAUSED."""
    for key, alert in each(tree, "alerts") if status else ():
        if alert.text("schedule", "quartz_cron_schedule") and not alert.text("schedule", "pause_status"):
            at = ("resources", "alerts", key, "schedule", "pause_status")
            tree = put(tree, at, Node(UNPAUSED if status == UNPAUSED else PAUSED))
    for key, monitor in each(tree, "quality_monitors") if status == PAUSED else ():
        if monitor.text("schedule", "pause_status") != UNPAUSED:
            tree = put(tree, ("resources", "quality_monitors", key), drop(monitor, "schedule"))
    return tree


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
            tree = put(tree, ("resources", kind, key), list_tags(resource, ("tags",), tags))
    named = [(tag_value(name), Node(tag_value(str(value.value)))) for name, value in tags]
    for key, resource in each(tree, "sql_warehouses") if tags else ():
        tree = put(tree, ("resources", "sql_warehouses", key), list_tags(resource, ("tags", "custom_tags"), named))
    return tree


def list_tags(resource: Node, at: Sequence[str], tags: Sequence[tuple[str, Node]]) -> Node:
    """A resource with tags added to its list of keys and values; its own win."""
    listed = list((resource.at(*at) or EMPTY).elements())
    known = {item.text("key") for item in listed}
    listed += [made({"key": name, "value": value.value}) for name, value in tags if name not in known]
    return put(resource, at, Node(listed))


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
        return copy_run_as(own_pipelines(tree, people, user), people, ("jobs",))
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
        for key, dashboard in each(tree, "dashboards"):
            if (embeds := dashboard.get("embed_credentials")) is not None and embeds.value is True:
                message = "a dashboard with embed_credentials cannot run as another user than its owner"
                report.error(message, dashboard, ("resources", "dashboards", key))
    return copy_run_as(tree, people, ("jobs", "pipelines", "alerts"))


def own_pipelines(tree: Node, people: Mapping[str, str], user: User) -> Node:
    """The identity as the owner of every pipeline, unless it is the deploying user; other permissions of it go."""
    if user.name in people.values():
        return tree
    for key, pipeline in each(tree, "pipelines"):
        listed = (pipeline.get("permissions") or EMPTY).elements()
        kept = [item for item in listed if not any(item.text(field) == name for field, name in people.items())]
        owner = made({"level": "IS_OWNER", **people})
        tree = put(tree, ("resources", "pipelines", key, "permissions"), Node([*kept, owner]))
    return tree


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
