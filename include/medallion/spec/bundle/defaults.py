"""Keyed merges, cluster fix-ups, defaults and permissions of resources. Runs wherever bundles are read; pure.

Order and values: reference §17.1 (job defaults, keyed merge) and §17.6 step 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from medallion.spec.bundle.merge import MergeError, merge_keyed
from medallion.spec.bundle.references import descend, is_whole_reference, resolve_tree, split_name
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, Node, drop, made, matches, put, rewrite
from medallion.spec.bundle.workspace import User
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


POOLED_AWAY = ("enable_elastic_disk", "node_type_id", "driver_node_type_id")
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
    return cluster


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
    return tree


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


LEVELS: dict[str, tuple[str, str, str | None]] = {
    "jobs": ("CAN_MANAGE", "CAN_VIEW", "CAN_MANAGE_RUN"),
    "pipelines": ("CAN_MANAGE", "CAN_VIEW", "CAN_RUN"),
    "experiments": ("CAN_MANAGE", "CAN_READ", None),
    "models": ("CAN_MANAGE", "CAN_READ", None),
    "model_serving_endpoints": ("CAN_MANAGE", "CAN_VIEW", "CAN_QUERY"),
    "dashboards": ("CAN_MANAGE", "CAN_READ", None),
    "genie_spaces": ("CAN_MANAGE", "CAN_READ", None),
    "apps": ("CAN_MANAGE", "CAN_USE", None),
    "secret_scopes": ("MANAGE", "READ", None),
    "alerts": ("CAN_MANAGE", "CAN_READ", "CAN_RUN"),
    "sql_warehouses": ("CAN_MANAGE", "CAN_VIEW", "CAN_MONITOR"),
    "database_instances": ("CAN_MANAGE", "CAN_USE", None),
    "postgres_projects": ("CAN_MANAGE", "CAN_USE", None),
    "clusters": ("CAN_MANAGE", "CAN_ATTACH_TO", "CAN_RESTART"),
    "vector_search_endpoints": ("CAN_MANAGE", "CAN_USE", None),
    "instance_pools": ("CAN_MANAGE", "CAN_ATTACH_TO", None),
}
"""What the bundle's own levels CAN_MANAGE, CAN_VIEW and CAN_RUN mean for each kind of resource."""

BUNDLE_LEVELS = ("CAN_MANAGE", "CAN_VIEW", "CAN_RUN")
OWNED = ("jobs", "pipelines", "sql_warehouses")
RANKING = (
    *("CAN_VIEW", "CAN_READ", "CAN_VIEW_METADATA", "CAN_RUN", "CAN_QUERY", "CAN_USE", "CAN_EDIT", "CAN_EDIT_METADATA"),
    *("CAN_CREATE", "CAN_ATTACH_TO", "CAN_RESTART", "CAN_MONITOR", "CAN_MANAGE_RUN", "CAN_MANAGE_STAGING_VERSIONS"),
    *("CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE", "IS_OWNER"),
)
PRINCIPALS = ("user_name", "service_principal_name", "group_name")


def apply_permissions(tree: Node, user: User, report: Report) -> Node:
    """The bundle's permissions on every resource, and the deploying user's own."""
    shared = (tree.get("permissions") or EMPTY).elements()
    for index, item in enumerate(shared):
        if item.text("level") not in BUNDLE_LEVELS:
            at = ("permissions", index, "level")
            message = f"permission level {item.text('level')} must be one of {', '.join(BUNDLE_LEVELS)}"
            report.error(message, item.get("level") or item, at)
    if shared and not any(person(item) == user.name and item.text("level") == "CAN_MANAGE" for item in shared):
        hint = f"add user_name: {user.name} with the level CAN_MANAGE"
        report.note("permissions should name the user who deploys", tree.get("permissions"), ("permissions",), hint)
    for path, resource in list(matches(tree, ("resources", ANY, ANY))):
        kind = str(path[1])
        if resource.kind != "map":
            continue
        own = resource.get("permissions")
        listed = list(own.elements()) if own is not None else []
        if kind in LEVELS:
            listed += shared_permissions(shared, listed, kind, report)
        if listed and kind != "secret_scopes":
            listed = strongest(with_user(listed, user, kind))
        if listed:
            tree = put(tree, (*path, "permissions"), Node(listed, own.places if own is not None else ()))
        elif own is not None:
            tree = put(tree, path, drop(resource, "permissions")) if own.value is None else tree
    return tree


def shared_permissions(shared: Sequence[Node], own: Sequence[Node], kind: str, report: Report) -> list[Node]:
    """The bundle's permissions in the words of one kind, but for people that the resource already names."""
    found = []
    for item in shared:
        if item.text("level") not in BUNDLE_LEVELS:
            continue
        level = LEVELS[kind][BUNDLE_LEVELS.index(item.text("level"))]
        if level is None:
            continue
        overlap = [
            item.text(name)
            for name in PRINCIPALS
            if item.text(name) and any(other.text(name) == item.text(name) for other in own)
        ]
        if overlap:
            report.warning(f"{kind} already have permissions for {', '.join(overlap)}", item)
            continue
        people = {name: item.text(name) for name in PRINCIPALS if item.text(name)}
        found.append(made({"level": level, **people}))
    return found


def person(item: Node) -> str:
    """The user or service principal of a permission."""
    return item.text("user_name") or item.text("service_principal_name")


def with_user(listed: list[Node], user: User, kind: str) -> list[Node]:
    """Permissions that leave the deploying user in charge: as the owner where there are owners, else as a manager."""
    owners = [item for item in listed if item.text("level") == "IS_OWNER"]
    if any(person(item) == user.name for item in owners):
        return listed
    managing = [item for item in listed if item.text("level") == "CAN_MANAGE" and person(item) == user.name]
    field = "service_principal_name" if user.is_service_principal else "user_name"
    if kind in OWNED and not owners:
        if managing:
            promoted = put(managing[-1], ("level",), Node("IS_OWNER"))
            return [promoted if item is managing[-1] else item for item in listed]
        return [*listed, made({"level": "IS_OWNER", field: user.name})]
    return listed if managing else [*listed, made({"level": "CAN_MANAGE", field: user.name})]


def strongest(listed: list[Node]) -> list[Node]:
    """One permission for each user, principal or group: the strongest."""
    best: dict[tuple[str, str], Node] = {}
    for item in listed:
        field = next((name for name in PRINCIPALS if item.text(name)), "")
        level = item.text("level")
        if not field or not level:
            continue
        who = (field, item.text(field))
        if who not in best or rank(level) > rank(best[who].text("level")):
            places = best[who].places if who in best else item.places
            best[who] = made({"level": level, field: item.text(field)}, places)
    return list(best.values())


def rank(level: str) -> tuple[int, str]:
    """How strong a level is. A level that is not known ranks as the longest known one that it begins with."""
    if level in RANKING:
        return RANKING.index(level), level
    prefixes = [known for known in RANKING if level.startswith(known)]
    return (RANKING.index(max(prefixes, key=len)) if prefixes else -1), level
