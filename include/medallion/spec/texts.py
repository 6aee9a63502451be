"""Checks of every text in a job: placeholders and references that have no value. Runs where jobs are checked; pure."""

from __future__ import annotations

import re
from typing import Any

from medallion.core.text import storable
from medallion.spec.findings import Findings
from medallion.spec.positions import JsonPath
from medallion.spec.problems import Severity

PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_ -]*>")
ANY_PLACEHOLDER = re.compile(r"<(?:[A-Za-z][A-Za-z0-9_-]*|[A-Z][A-Z0-9_ -]*)>")
NAMES_A_THING = frozenset(
    {
        *(
            "notebook_path",
            "python_file",
            "path",
            "project_directory",
            "workspace_path",
            "git_url",
            "git_branch",
            "url",
        ),
        *("existing_cluster_id", "warehouse_id", "pipeline_id", "job_id", "query_id", "alert_id", "dashboard_id", "id"),
        *("node_type_id", "instance_pool_id", "policy_id", "spark_version", "timezone_id"),
        *("user_name", "service_principal_name", "group_name", "on_start", "on_success", "on_failure"),
        *("whl", "jar", "egg", "requirements", "dependencies", "package"),
    }
)
"""Fields where `<username>` can be nothing but a placeholder. Elsewhere it may be markup, or a type's parameter."""

HAS_DEFAULT = {"warehouse_id": "the default target stands in; [warehouses] in medallion.toml names another"}
"""Fields that something stands in for, and what."""

REFERENCE = re.compile(r"\$\{[A-Za-z][\w-]*(?:\.[\w-]+|\[[0-9]+\])*\}")
"""A reference of asset bundles: `${var.catalog}` (reference of the bundle syntax, "Substitutions")."""

BUNDLE_ROOTS = ("var.", "variables.", "bundle.", "workspace.", "resources.", "artifacts.", "targets.")
SHELL_FIELDS = frozenset({"spark_env_vars", "spark_conf"})
"""Where `${HOME}` is for the shell or for Spark and no reference of a bundle."""


def check_texts(raw: dict[str, Any], findings: Findings) -> None:
    """Placeholders that nobody filled in, and references that only a bundle can resolve."""
    waiting: list[tuple[object, JsonPath]] = [(raw, ())]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((item, (*path, name)) for name, item in value.items())
        elif isinstance(value, (list, tuple)):
            waiting.extend((item, (*path, index)) for index, item in enumerate(value))
        elif isinstance(value, str):
            check_text(value, path, findings)


def check_text(text: str, path: JsonPath, findings: Findings) -> None:
    """One text. A description is for people: what looks like a placeholder there does no harm."""
    if storable(text) != text:
        what = "a NUL character" if "\0" in text else "half of a surrogate pair, which is no character"
        findings.error(path, f'"{storable(text)[:60]}" holds {what}: no database keeps it', "take it away")
    field = next((step for step in reversed(path) if isinstance(step, str)), "")
    pattern = ANY_PLACEHOLDER if field in NAMES_A_THING else PLACEHOLDER
    for found in dict.fromkeys(pattern.findall(text)) if "<" in text else ():
        severity = Severity.WARNING if path[-1] == "description" or field in HAS_DEFAULT else Severity.ERROR
        hint = HAS_DEFAULT.get(field, "write the value in its place")
        findings.add(severity, path, f"the placeholder {found} has no value", hint)
    if "${" not in text or findings.lenient:
        return
    of_shell = not SHELL_FIELDS.isdisjoint(path)
    for found in dict.fromkeys(REFERENCE.findall(text)):
        resource = ".".join(found[2:-1].split(".")[:3])
        if resource not in findings.resources and (not of_shell or found[2:].startswith(BUNDLE_ROOTS)):
            hint = "only asset bundles resolve it: load the bundle, or write the value"
            findings.error(path, f"the reference {found} is not resolved", hint)
