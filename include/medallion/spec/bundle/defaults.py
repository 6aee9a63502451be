"""Keyed merges, cluster fix-ups and defaults of resources. Runs wherever bundles are read; pure.

Order and values: reference §17.1 (job defaults, keyed merge) and §17.6 step 8.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import replace

from medallion.spec.bundle.merge import MergeError, merge_keyed
from medallion.spec.bundle.references import descend, is_whole_reference, resolve_tree, split_name
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, Node, drop, made, matches, put, rewrite, with_value
from medallion.spec.positions import JsonPath


def key_text(node: Node | None) -> str:
    """The text of a key; empty when there is none."""
    return node.value if node is not None and isinstance(node.value, str) else ""


def cluster_label(node: Node | None) -> str:
    """A pipeline cluster's label: in lower case, `default` when there is none."""
    return key_text(node).lower() if node is not None and node.value is not None else "default"


KEYED: tuple[tuple[JsonPath, str, Callable[[Node | None], str], bool], ...] = (
    (("resources", "jobs", ANY, "job_clusters"), "job_cluster_key", key_text, False),
    (("resources", "jobs", ANY, "parameters"), "name", key_text, False),
    (("resources", "jobs", ANY, "tasks"), "task_key", key_text, True),
    (("resources", "pipelines", ANY, "clusters"), "label", cluster_label, False),
    *(
        (("resources", kind, ANY, "grants"), "principal", key_text, False)
        for kind in (
            *("catalogs", "schemas", "external_locations", "secrets", "volumes"),
            *("registered_models", "vector_search_indexes"),
        )
    ),
)
"""Lists whose elements merge by a key: where, the key, how to read it, whether the result is sorted."""


def merge_by_key(tree: Node, report: Report) -> Node:
    """Lists of tasks, clusters, parameters and grants with the elements of one key merged."""
    for pattern, name, key_of, ordered in KEYED:

        def merged(
            at: JsonPath,
            node: Node,
            name: str = name,
            key_of: Callable[[Node | None], str] = key_of,
            ordered: bool = ordered,  # noqa: FBT001 - binds the loop's value
        ) -> Node:
            try:
                return merge_keyed(node, name, key_of, ordered=ordered)
            except MergeError as error:
                report.error(f"{error} in elements of one {name}", error.node, at)
                return node

        tree = rewrite(tree, pattern, merged)
    return rewrite(tree, ("resources", ANY, ANY, "grants", ANY, "privileges"), without_repeats)


def without_repeats(_at: JsonPath, node: Node) -> Node:
    """A list of texts, each once."""
    first = {item.value: item for item in reversed(node.elements()) if item.kind == "string"}
    items = [item for item in node.elements() if first.get(item.value) is item]
    return replace(node, value=items) if node.kind == "sequence" else node


SERVED = {"model_name": "entity_name", "model_version": "entity_version"}
"""How an endpoint's served model is called in the newer list of served entities."""


def serve_entities(tree: Node, report: Report) -> Node:
    """Endpoints with their `served_models`, the old list, as `served_entities`."""
    for path, config in list(matches(tree, ("resources", "model_serving_endpoints", ANY, "config"))):
        old, new = config.get("served_models"), config.get("served_entities")
        if old is None or not old.elements():
            continue
        if new is not None and new.elements():
            endpoint = tree.at(*path[:3])
            report.error("served_models and served_entities are both set", endpoint, path[:3])
            continue
        report.warning("served_models is deprecated", old, (*path, "served_models"), "use served_entities")
        items = [
            replace(item, value={SERVED.get(key, key): value for key, value in item.items()}) for item in old.elements()
        ]
        tree = put(tree, path, put(drop(config, "served_models"), ("served_entities",), replace(old, value=items)))
    return tree


POOLED_AWAY = ("node_type_id", "driver_node_type_id")
CLOUD_KEPT = {
    "aws_attributes": "instance_profile_arn",
    "azure_attributes": None,
    "gcp_attributes": "google_service_account",
}


def fix_clusters(tree: Node) -> Node:
    """Clusters as the API wants them: a pool states the machines, and job clusters state their workers."""

    def pooled(_at: JsonPath, cluster: Node) -> Node:
        return fix_pool(cluster) if cluster.kind == "map" else cluster

    def counted(_at: JsonPath, cluster: Node) -> Node:
        if cluster.kind != "map" or cluster.get("autoscale") is not None or cluster.get("num_workers") is not None:
            return cluster
        return put(cluster, ("num_workers",), Node(0))

    tree = rewrite(tree, ("resources", "jobs", ANY, "tasks", ANY, "new_cluster"), pooled)
    tree = rewrite(tree, ("resources", "clusters", ANY), pooled)
    shared = ("resources", "jobs", ANY, "job_clusters", ANY, "new_cluster")
    return rewrite(rewrite(tree, shared, pooled), shared, counted)


def fix_pool(cluster: Node) -> Node:
    """A cluster without the settings that its instance pool decides."""
    if not cluster.text("instance_pool_id"):
        return drop(cluster, "driver_instance_pool_id")
    for name, kept in CLOUD_KEPT.items():
        attributes = cluster.get(name)
        if attributes is not None and attributes.kind == "map":
            values = {key: item for key, item in attributes.items() if key == kept}
            cluster = put(cluster, (name,), replace(attributes, value=values))
    for name in POOLED_AWAY:
        cluster = drop(cluster, name)
    disk = cluster.get("enable_elastic_disk")
    return cluster if disk is None or disk.value is False else drop(cluster, "enable_elastic_disk")


DEFAULTS: tuple[tuple[JsonPath, str, object], ...] = (
    (("dashboards", ANY), "embed_credentials", False),
    (("volumes", ANY), "volume_type", "MANAGED"),
    (("jobs", ANY), "name", "Untitled"),
    (("jobs", ANY), "max_concurrent_runs", 1),
    (("jobs", ANY, "schedule"), "pause_status", "UNPAUSED"),
    (("jobs", ANY, "trigger"), "pause_status", "UNPAUSED"),
    (("jobs", ANY, "continuous"), "pause_status", "UNPAUSED"),
    (("jobs", ANY), "queue", {"enabled": True}),
    (("jobs", ANY, "job_clusters", ANY, "new_cluster", "workload_type", "clients"), "notebooks", True),
    (("jobs", ANY, "job_clusters", ANY, "new_cluster", "workload_type", "clients"), "jobs", True),
    (("pipelines", ANY), "edition", "ADVANCED"),
    (("pipelines", ANY), "channel", "CURRENT"),
    (("sql_warehouses", ANY), "auto_stop_mins", 120),
    (("sql_warehouses", ANY), "enable_photon", True),
    (("sql_warehouses", ANY), "max_num_clusters", 1),
    (("sql_warehouses", ANY), "spot_instance_policy", "COST_OPTIMIZED"),
    (("apps", ANY), "description", ""),
    (("clusters", ANY), "autotermination_minutes", 60),
    (("clusters", ANY, "workload_type", "clients"), "notebooks", True),
    (("clusters", ANY, "workload_type", "clients"), "jobs", True),
)
"""Where below `resources`, the field, its value when it is not set."""

IN_WORKSPACE = ("dashboards", "genie_spaces", "alerts")
"""Resources that lie in a folder of the workspace."""


def set_defaults(tree: Node) -> Node:
    """Resources with what is not set filled in."""
    folder = tree.at("workspace", "resource_path") or Node("")
    located = tuple(((kind, ANY), "parent_path", folder.value) for kind in IN_WORKSPACE)
    for pattern, field, value in (*located, *DEFAULTS):

        def filled(_at: JsonPath, node: Node, field: str = field, value: object = value) -> Node:
            if node.kind != "map" or node.get(field) is not None:
                return node
            return put(node, (field,), made(value))

        tree = rewrite(tree, ("resources", *pattern), filled)
    for kind in ("dashboards", "genie_spaces"):
        tree = rewrite(tree, ("resources", kind, ANY, "parent_path"), in_workspace)
    return tree


def in_workspace(_at: JsonPath, node: Node) -> Node:
    """A folder's path with the prefix of the workspace."""
    path = str(node.value)
    if path == "/Workspace" or path.startswith("/Workspace/"):
        return node
    return with_value(node, posixpath.normpath(f"/Workspace/{path.lstrip('/')}"))


def drop_unset_lifecycle(tree: Node) -> Node:
    """Resources without `prevent_destroy: false`, which is what not setting it means; the CLI does not show it."""

    def dropped(_at: JsonPath, node: Node) -> Node:
        flag = node.get("prevent_destroy")
        return drop(node, "prevent_destroy") if flag is not None and flag.value is False else node

    return rewrite(tree, ("resources", ANY, ANY, "lifecycle"), dropped)


def set_volume_paths(tree: Node, report: Report) -> Node:
    """Volumes with their path, and references to it resolved: it follows from the names, before any deployment."""
    for path, volume in list(matches(tree, ("resources", "volumes", ANY))):
        if volume.kind != "map":
            continue
        if volume.text("volume_path"):
            at = (*path, "volume_path")
            report.error(
                "volume_path follows from the names and cannot be set", volume.get("volume_path"), at, "remove it"
            )
            continue
        names = (followed(tree, volume.text(name)) for name in ("catalog_name", "schema_name", "name"))
        tree = put(tree, (*path, "volume_path"), Node(f"/Volumes/{'/'.join(names)}"))
    resources = tree.get("resources")
    if resources is None or tree.at("resources", "volumes") is None:
        return tree

    def find(steps: JsonPath, name: str) -> Node | None:
        is_path = steps[:2] == ("resources", "volumes") and steps[3:] == ("volume_path",)
        return descend(tree, steps, name) if is_path else None

    return put(tree, ("resources",), resolve_tree(resources, ("resources",), find, report, lambda node: node))


def followed(tree: Node, text: str) -> str:
    """The text that a reference to a resource's field leads to; any other text as it is."""
    if not is_whole_reference(text):
        return text
    node = tree.at(*split_name(text[2:-1]))
    return node.value if node is not None and node.kind == "string" else text
