"""Small bundles, and what each must resolve to or say, worked out from the rules of Databricks' command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medallion.spec.bundle import Resolved

Resolve = Callable[..., Resolved]

JOB = """\
bundle: {name: b}
resources:
  jobs:
    j:
      name: j
"""
TASK = "      tasks: [{task_key: a, notebook_task: {notebook_path: n.py}}]\n"
DEPLOYED = "/Workspace/Users/someone/.bundle/b/default/files"


def at(value: Any, path: str) -> Any:
    """The value at a dotted path; "-" where there is none."""
    for step in path.split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError):
            return "-"
    return value


def task(fields: str) -> str:
    """A list of one task with these fields."""
    return f"tasks: [{{task_key: a, {fields}}}]"


def cluster(fields: str) -> str:
    """A list of one job cluster with these fields."""
    return f"job_clusters: [{{job_cluster_key: k, new_cluster: {{{fields}}}}}]"


def of(kind: str, fields: str) -> str:
    """A bundle with one resource x of a kind."""
    return f"bundle: {{name: b}}\nresources:\n  {kind}: {{x: {{{fields}}}}}\n"


SCALARS = "tags: {when: 2026-01-05, at: 12:30, n: 0o17, e: 1e3, off: off}"
SORTED = "tasks: [{task_key: 10}, {task_key: 9}, {task_key: Z}, {task_key: a_b}, {task_key: a-b}]"
TWICE = "tasks: [{task_key: a, max_retries: 1}, {task_key: a, max_retries: 2, depends_on: [{task_key: b}]}]"
LINES = "environments: [{environment_key: e, spec: {dependencies: ['a >= 2', d/x.whl, -r n.txt, /Volumes/a.whl]}}]"
LIBRARIES = task("libraries: [{whl: ./d/*.whl}, {egg: ../x.egg}, {requirements: n.txt}]")
DISK = "job_clusters.0.new_cluster.enable_elastic_disk"
WORKERS = "job_clusters.0.new_cluster.num_workers"
SAME_AS_NOT_SET = ("tags", "schedule", "queue", "parameters", "job_clusters", "email_notifications", "git_source")


@pytest.mark.parametrize("name", SAME_AS_NOT_SET)
def test_a_null_list_or_object_is_a_field_that_is_not_set(resolve: Resolve, name: str) -> None:
    with_null = resolve(JOB + f"      {name}: null\n" + TASK)
    assert with_null.problems == ()
    assert with_null.resources == resolve(JOB + TASK).resources


@pytest.mark.parametrize(
    ("lines", "path", "value"),
    [
        ("parameters: [{name: p, default: a}, null]", "parameters.1", {"name": ""}),
        (task("depends_on: [null]"), "tasks.0.depends_on", [{}]),
        ("webhook_notifications: {on_start: [null, {id: x}]}", "webhook_notifications.on_start", [{}, {"id": "x"}]),
        ("tags: {a: null, b: 1, c: ''}", "tags", {"b": "1", "c": ""}),
        ("email_notifications: {on_start: [null, a@b.c]}", "email_notifications.on_start", ["a@b.c"]),
        ("tags: {}", "tags", {}),
        ("timeout_seconds: 0", "timeout_seconds", 0),
        ("max_concurrent_runs: 0", "max_concurrent_runs", 0),
        ("description: ''", "description", "-"),
        ("lifecycle: {prevent_destroy: false}", "lifecycle", {}),
        ("lifecycle: {prevent_destroy: true}", "lifecycle", {"prevent_destroy": True}),
        ("access_control_list: [{user_name: u, permission_level: CAN_VIEW}]", "access_control_list", "-"),
        (SCALARS, "tags.when", "2026-01-05"),
        (SCALARS, "tags.n", "15"),
        (SCALARS, "tags.off", "off"),
        ("queue: {enabled: no}", "queue.enabled", False),
        ("timeout_seconds: 1e2", "timeout_seconds", 100),
        ("timeout_seconds: '+60'", "timeout_seconds", 60),
        (SORTED, "tasks.3", {"task_key": "a-b"}),
        (SORTED, "tasks.0", {"task_key": "10"}),
        (TWICE, "tasks.0.max_retries", 2),
        (cluster("spark_version: x"), WORKERS, 0),
        (cluster("autoscale: {min_workers: 1}"), WORKERS, "-"),
        (cluster("instance_pool_id: p, node_type_id: n"), "job_clusters.0.new_cluster.node_type_id", "-"),
        (cluster("instance_pool_id: p, enable_elastic_disk: false"), DISK, False),
        (cluster("instance_pool_id: p, enable_elastic_disk: true"), DISK, "-"),
        (
            task("dbt_task: {commands: [dbt run], project_directory: ''}"),
            "tasks.0.dbt_task.project_directory",
            DEPLOYED,
        ),
        (task('run_job_task: {job_id: "123"}'), "tasks.0.run_job_task.job_id", 123),
        (
            task("run_job_task: {job_id: '${resources.jobs.j.id}'}"),
            "tasks.0.run_job_task.job_id",
            "${resources.jobs.j.id}",
        ),
        (task("run_job_task: {job_id: child}"), "tasks.0.run_job_task", {}),
        (LINES, "environments.0.spec.dependencies.0", "a >= 2"),
        (LINES, "environments.0.spec.dependencies.1", "./d/x.whl"),
        (LINES, "environments.0.spec.dependencies.2", f"-r {DEPLOYED}/n.txt"),
        (LINES, "environments.0.spec.dependencies.3", "/Volumes/a.whl"),
        (LIBRARIES, "tasks.0.libraries.0", {"whl": "d/*.whl"}),
        (LIBRARIES, "tasks.0.libraries.1", {"egg": "../x.egg"}),
        (LIBRARIES, "tasks.0.libraries.2", {"requirements": f"{DEPLOYED}/n.txt"}),
    ],
)
def test_a_job_resolves_to(resolve: Resolve, lines: str, path: str, value: object) -> None:
    found = resolve(JOB + f"      {lines}\n", {"n.txt": "requests\n"})
    assert at(found.resources["jobs"]["j"], path) == value


@pytest.mark.parametrize(
    ("root", "value"),
    [
        ("variables: {v: {value: w}}", "w"),
        ("variables: {v: {default: d, value: w}}", "w"),
        ("variables: {v: {type: complex, default: [a, {b: [c]}]}}", "-"),
        ("variables: {v: {default: '${bundle.git.branch}'}}", "-"),
        ("variables: {v: {default: '${var.${var.w}}'}, w: {default: x}, x: {default: deep}}", "deep"),
        ("variables: {v: {default: '$${var.w}'}, w: {default: x}}", "$x"),
        ("variables: {v: {default: '${ var.w}'}}", "${ var.w}"),
        ("variables: {v: {default: '${workspace.file_path}'}}\npresets: {source_linked_deployment: true}", DEPLOYED),
    ],
)
def test_a_variable_reads_as(resolve: Resolve, root: str, value: object) -> None:
    text = JOB + "      description: ${var.v}\n" + root + "\n"
    assert at(resolve(text).resources, "jobs.j.description") == value


def test_a_run_as_of_null_is_not_set(resolve: Resolve) -> None:
    found = resolve(JOB + "run_as:\n")
    assert found.problems == ()
    assert at(found.resources, "jobs.j.run_as") == "-"


OTHERS = """\
bundle: {name: b}
resources:
  jobs: {j: {name: j}}
  experiments: {e: {name: /Users/x/e}}
  registered_models: {r: {name: r, catalog_name: c, schema_name: s}}
  dashboards: {d: {display_name: d, warehouse_id: 5, parent_path: /Shared/x}}
  alerts:
    a:
      display_name: a
      warehouse_id: w
      query_text: select 1
      evaluation: {comparison_operator: EQUAL, source: {name: x}}
      schedule: {quartz_cron_schedule: 0 0 * * * ?, timezone_id: UTC}
  sql_warehouses: {w: {name: w, auto_stop_mins: "30"}}
  quality_monitors:
    q:
      table_name: c.s.t
      assets_dir: /a
      output_schema_name: c.s
      schedule: {quartz_cron_expression: 0 0 * * * ?, timezone_id: UTC}
  schemas: {s: {name: s, catalog_name: c}}
  model_serving_endpoints: {m: {name: m, config: {served_models: [{model_name: n, model_version: 1}]}}}
targets:
  dev: {mode: development}
"""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("experiments.e", {"name": "/Users/x/[dev someone] e", "tags": [{"key": "dev", "value": "someone"}]}),
        ("registered_models.r.name", "dev_someone_r"),
        ("registered_models.r.schema_name", "${resources.schemas.s.name}"),
        ("dashboards.d.warehouse_id", "5"),
        ("dashboards.d.parent_path", "/Workspace/Shared/x"),
        ("alerts.a.schedule.pause_status", "PAUSED"),
        ("alerts.a.parent_path", "/Workspace/Users/someone/.bundle/b/dev/resources"),
        ("sql_warehouses.w.auto_stop_mins", 30),
        ("sql_warehouses.w.tags", {"custom_tags": [{"key": "dev", "value": "someone"}]}),
        ("quality_monitors.q.schedule", "-"),
        ("quality_monitors.q.output_schema_name", "c.${resources.schemas.s.name}"),
        ("model_serving_endpoints.m.config", {"served_entities": [{"entity_name": "n", "entity_version": 1}]}),
    ],
)
def test_resources_that_do_not_run_here_resolve_as_well(resolve: Resolve, path: str, value: object) -> None:
    found = resolve(OTHERS)
    assert not found.errors
    assert at(found.resources, path) == value


LEGACY = """\
bundle: {name: b}
run_as: {service_principal_name: robot}
experimental: {use_legacy_run_as: true}
resources:
  pipelines:
    p:
      name: p
      permissions: [{level: CAN_VIEW, service_principal_name: robot}, {level: CAN_VIEW, user_name: u}]
"""


def test_the_legacy_run_as_makes_its_identity_the_owner_of_pipelines(resolve: Resolve) -> None:
    listed = resolve(LEGACY).resources["pipelines"]["p"]["permissions"]
    assert [(item["level"], item.get("user_name", item.get("service_principal_name"))) for item in listed] == [
        ("CAN_VIEW", "u"),
        ("IS_OWNER", "robot"),
        ("CAN_MANAGE", "someone"),
    ]


SERVING = of("model_serving_endpoints", "name: m, config: {served_models: [{}], served_entities: [{}]}")
EMBEDDED = of("dashboards", "display_name: d, warehouse_id: w, embed_credentials: true") + "run_as: {user_name: u}\n"
WHEEL = "python_wheel_task: {package_name: p, entry_point: e}, libraries: [{whl: a.whl}]"
OLD_RUNTIME = (
    JOB
    + f"      tasks: [{{task_key: a, existing_cluster_id: '${{resources.clusters.c.id}}', {WHEEL}}}]\n"
    + "  clusters: {c: {spark_version: 12.2.x-scala2.12, num_workers: 1}}\n"
)
NEW_RUNTIME = task(f"new_cluster: {{spark_version: 13.x-scala2.12}}, {WHEEL}")


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (JOB + "      access_control_list: []\n", [("warning", 6, 7)]),
        (JOB + "      description: null\n", [("warning", 6, 20)]),
        ("bundle: {name: b, engine: terraform}\n", [("warning", 1, 27)]),
        ("bundle: {name: b}\npresets: {source_linked_deployment: true}\n", [("warning", 2, 37)]),
        ("bundle: {name: b}\nsync: {include: ['*.py', q/*.csv]}\n", [("warning", 2, 26)]),
        ("bundle: {name: b}\nartifacts:\n  a: {type: whl}\n  b: {build: make}\n", []),
        ("bundle: {name: b}\nartifacts:\n  a:\n  b: {}\n", [("error", 3, 5), ("error", 4, 6)]),
        ("bundle: {name: b}\nartifacts:\n  a: {files: [{source: n.py}, {source: d/*.jar}]}\n", [("error", 3, 40)]),
        (of("dashboards", "etag: x"), [("error", 3, 19)] * 3),
        (of("dashboards", "display_name: d, warehouse_id: w"), []),
        (of("sql_warehouses", "name: ' '"), [("error", 3, 23)]),
        (of("experiments", "nme: x, name: e"), [("warning", 3, 21)]),
        (of("models", ""), [("warning", 3, 15)]),
        (of("secret_scopes", "name: s, permissions: [{level: OWN, user_name: u}]"), [("warning", 3, 54)]),
        (of("secret_scopes", "name: s, permissions: [{level: READ}]"), [("error", 3, 22)]),
        (of("genie_spaces", "file_path: x, serialized_space: y"), [("error", 3, 54)]),
        (of("job_runs", "job_id: 1, idempotency_token: t"), [("error", 3, 48)]),
        (of("alerts", "file_path: x.dbalert.json"), []),
        (SERVING, [("error", 3, 32)]),
        (EMBEDDED, [("error", 3, 19)]),
        (OLD_RUNTIME, [("error", 7, 33)]),
        (JOB + f"      {NEW_RUNTIME}\n", []),
    ],
)
def test_what_is_said_and_where(resolve: Resolve, root: str, expected: list[tuple[str, int, int]]) -> None:
    found = [(str(problem.severity), problem.line, problem.column) for problem in resolve(root).problems]
    assert found == expected


@pytest.mark.parametrize(
    ("pattern", "is_said"),
    [
        ("n.py", False),
        ("/n.py", False),
        ("*.py", False),
        ("src/**/*.sql", False),
        ("src/**", False),
        ("deep", False),
        ("deep/", False),
        ("a.sql", False),
        ("src/*.sql", True),
        ("/a.sql", True),
        ("other/*.py", True),
        ("*.csv", True),
        ("!*.csv", True),
    ],
)
def test_a_pattern_of_sync_without_a_match_is_said(resolve: Resolve, pattern: str, *, is_said: bool) -> None:
    root = f"bundle: {{name: b}}\nsync: {{exclude: ['{pattern}']}}\n"
    assert bool(resolve(root, {"src/deep/a.sql": "select 1"}).problems) is is_said


@pytest.mark.parametrize(
    ("sync", "messages"),
    [
        ("{exclude: ['**']}", ["no file is left to deploy"]),
        ("{exclude: ['*.py', '*.yml']}", ["no file is left to deploy"]),
        ("{exclude: ['*.py', '*.yml', '!n.py']}", []),
        ("{exclude: ['*.py', '*.yml'], include: ['n.*']}", []),
        ("{exclude: ['*.py']}", []),
    ],
)
def test_patterns_that_leave_nothing_to_deploy_are_said(resolve: Resolve, sync: str, messages: list[str]) -> None:
    found = resolve(f"bundle: {{name: b}}\nsync: {sync}\n")
    assert [problem.message for problem in found.problems] == messages
