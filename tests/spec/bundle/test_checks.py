from __future__ import annotations

from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved, load_bundle

Resolve = Callable[..., Resolved]


@pytest.mark.parametrize(
    ("text", "severity", "words", "place"),
    [
        ("resources: {jobs: {j: }}", "error", "job j is not defined", (2, 23)),
        ("resources: {jobs: {'${var.a}': {}}}", "error", "must not hold a reference", (2, 32)),
        ("resources: {jobs: {j: {queue: {}}}}", "warning", "required field enabled", (2, 31)),
        ("resources: {jobs: {j: {trigger: {periodic: {unit: DAY, interval: 1}}}}}", "warning", '"DAY"', (2, 51)),
        (
            "resources: {pipelines: {p: {restart_window: {start_hour: 1, days_of_week: [MON]}}}}",
            "warning",
            '"MON"',
            (2, 76),
        ),
        ("variables: {a: {type: list, default: 1}}", "warning", '"list"', (2, 23)),
        ("workspace: {host: 'https://${bundle.name}'}", "warning", "authentication", (2, 19)),
        ("scripts: {s: {content: ''}}", "error", "no content", (2, 14)),
        ("scripts: {s: {content: 'echo ${bundle.name}'}}", "error", "not replaced", (2, 24)),
        (
            "scripts: {s: {content: ls, env: {A: '${resources.jobs.j.id}'}}}",
            "error",
            "environment of a script",
            (2, 37),
        ),
        (
            "resources: {schemas: {s: {name: s, catalog_name: c, grants: [{principal: p}]}}}",
            "error",
            "privileges",
            (2, 62),
        ),
        (
            "resources: {jobs: {j: {tasks: [{task_key: a, new_cluster: {num_workers: 0}}]}}}",
            "warning",
            "no workers",
            (2, 59),
        ),
        (
            "resources: {jobs: {j: {tasks: [{task_key: a, python_wheel_task: {package_name: p, entry_point: e}}]}}}",
            "error",
            "needs a cluster or an environment",
            (2, 32),
        ),
        (
            "resources: {volumes: {v: {name: v, schema_name: s, catalog_name: c, volume_path: /v}}}",
            "error",
            "follows",
            (2, 82),
        ),
        ("resources: {models: {m: {}}}", "warning", "required field name", (2, 25)),
        ("resources: {jobs: {j: {deployment: {kind: BUNDLE, version_id: v}}}}", "error", "version_id", (2, 63)),
        ("sync: {paths: [/abs]}", "error", "must be relative", (2, 16)),
    ],
)
def test_what_is_wrong_is_said_at_its_place(
    resolve: Resolve, text: str, severity: str, words: str, place: tuple[int, int]
) -> None:
    resolved = resolve(f"bundle: {{name: x}}\n{text}")
    assert len(resolved.problems) == 1, resolved.problems
    problem = resolved.problems[0]
    assert (problem.severity, problem.line, problem.column) == (severity, *place)
    assert words in problem.message


def test_an_engine_that_does_not_exist_is_an_error(resolve: Resolve) -> None:
    assert "engine is pulumi" in resolve("bundle: {name: x, engine: pulumi}").errors[0].message


def test_a_bundle_without_a_name_is_an_error(resolve: Resolve) -> None:
    assert "no name" in resolve("resources: {}").errors[0].message


def test_loading_adds_the_checks_of_jobs_without_repeating_what_was_said(write: Callable) -> None:
    root = write(
        """
        bundle: {name: x}
        resources:
          jobs:
            good: {tasks: [{task_key: a, notebook_task: {notebook_path: n.py}}]}
            bad:
              tasks:
                - {task_key: a, run_if: NEVER, depends_on: [{task_key: b}], notebook_task: {notebook_path: n.py}}
                - {task_key: c, job_cluster_key: none, notebook_task: {notebook_path: none.py}}
        """
    )
    loaded = load_bundle(root, environ={})
    lines = [(problem.line, problem.path) for problem in loaded.problems]
    assert len(lines) == len(set(lines))
    said = "\n".join(map(str, loaded.problems))
    for words in ("NEVER", "none.py not found", "job_cluster_key none", "depends_on[0]"):
        assert words in said
    assert {job.key for job in loaded.jobs} == {"good", "bad"}


def test_a_definition_knows_its_bundle(write: Callable) -> None:
    root = write("bundle: {name: x}\nresources: {jobs: {j: {}}, schemas: {s: {name: s, catalog_name: c}}}")
    loaded = load_bundle(root, environ={})
    definition = loaded.jobs[0]
    assert (definition.key, definition.file, definition.root) == ("j", root / "databricks.yml", root)
    assert definition.deployed == "/Workspace/Users/someone/.bundle/x/default/files"
    assert list(loaded.resources) == ["schemas"]
    assert loaded.read == (root / "databricks.yml",)


def test_a_loaded_job_has_the_fields_of_other_resources_and_keeps_their_ids(write: Callable) -> None:
    root = write(
        """
        bundle: {name: x}
        resources:
          schemas: {gold: {name: g, catalog_name: c}}
          jobs:
            a:
              name: a of ${resources.jobs.b.name}
              tasks: [{task_key: t, run_job_task: {job_id: "${resources.jobs.b.id}"}}]
            b: {name: "b in ${resources.schemas.gold.name}", max_concurrent_runs: 3}
            c: {name: c, max_concurrent_runs: "${resources.jobs.b.max_concurrent_runs}"}
        """
    )
    jobs = {job.key: job.job for job in load_bundle(root, environ={}).require()}
    assert (jobs["a"].name, jobs["b"].name, jobs["c"].max_concurrent_runs) == ("a of b in g", "b in g", 3)
    assert jobs["a"].tasks[0].run_job_task.job_id == "${resources.jobs.b.id}"


def test_resources_that_refer_to_each_other_in_a_circle_are_an_error(write: Callable) -> None:
    jobs = '{a: {name: "${resources.jobs.b.name}"}, b: {name: "${resources.jobs.a.name}"}}'
    text = f"bundle: {{name: x}}\nresources: {{jobs: {jobs}}}"
    assert "cycle" in load_bundle(write(text), environ={}).errors[0].message
