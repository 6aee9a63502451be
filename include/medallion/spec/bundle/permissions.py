"""Who may do what with a bundle's resources: its own permissions laid over theirs. Runs wherever bundles are read; pure.

Rules: reference §17.6 step 8.
"""

from __future__ import annotations

from collections.abc import Sequence

from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, Node, drop, made, matches, put
from medallion.spec.bundle.workspace import User

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
