"""What a target's mode sets and forbids: development, production. Runs wherever bundles are read; pure.

Rules: reference §17.2.
"""

from __future__ import annotations

from medallion.spec.bundle.fields import WORKSPACE_PATHS
from medallion.spec.bundle.presets import PAUSED, UNPAUSED, each
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node, put
from medallion.spec.bundle.workspace import User, tag_value

DEVELOPMENT_RUNS = 4


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


def refuse_source_links(tree: Node, report: Report) -> Node:
    """Source-linked deployment reads files of the workspace in place, so it is off anywhere else."""
    at = ("presets", "source_linked_deployment")
    wanted = tree.at(*at)
    if wanted is None or wanted.value is not True:
        return tree
    report.warning("source-linked deployment works in a Databricks workspace only; it is off here", wanted, at)
    return put(tree, at, Node(value=False))


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
