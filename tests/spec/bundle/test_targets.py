from __future__ import annotations

from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved

Resolve = Callable[..., Resolved]


@pytest.mark.parametrize(
    ("targets", "asked", "chosen"),
    [
        pytest.param("", None, "default", id="none: an implicit one"),
        pytest.param("targets: {a: }", None, "a", id="a single one"),
        pytest.param("targets: {a: {}, b: {default: true}}", None, "b", id="the default"),
        pytest.param("targets: {a: {}, b: {default: true}}", "a", "a", id="the one asked for"),
        pytest.param("environments: {a: {}, b: {default: true}}", None, "b", id="the old word"),
    ],
)
def test_which_target_is_chosen(resolve: Resolve, targets: str, asked: str | None, chosen: str) -> None:
    resolved = resolve(f"bundle: {{name: x}}\n{targets}", target=asked)
    assert (resolved.target, resolved.errors) == (chosen, ())


@pytest.mark.parametrize(
    ("targets", "asked", "words"),
    [
        ("targets: {a: {}, b: {}}", None, "none is the default"),
        ("targets: {a: {default: true}, b: {default: true}}", None, "a, b"),
        ("targets: {dev: {}, prod: {}}", "prd", "did you mean prod?"),
        ("", "prod", "targets are default"),
        ("targets: {a: {}}\nenvironments: {b: {}}", "a", "both environments and targets"),
    ],
)
def test_errors(resolve: Resolve, targets: str, asked: str | None, words: str) -> None:
    resolved = resolve(f"bundle: {{name: x}}\n{targets}", target=asked)
    assert words in str(resolved.errors[0])


def test_the_environment_can_name_the_target(resolve: Resolve) -> None:
    resolved = resolve("bundle: {name: x}\ntargets: {a: {}, b: {}}", environ={"DATABRICKS_BUNDLE_TARGET": "b"})
    assert resolved.target == "b"


def test_overrides_merge_maps_join_lists_and_replace_run_as(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        run_as: {service_principal_name: sp}
        resources:
          jobs:
            j:
              description: old
              tags: {a: 1, b: 1}
              email_notifications: {on_failure: [a@x]}
              parameters: [{name: p, default: 1}, {name: q, default: 1}]
              tasks:
                - {task_key: z, max_retries: 1, sql_task: {warehouse_id: w, query: {query_id: q}}}
                - {task_key: b, sql_task: {warehouse_id: w, query: {query_id: q}}}
        targets:
          t:
            run_as: {user_name: anna}
            resources:
              jobs:
                j:
                  description: new
                  tags: {b: 2, c: 2}
                  email_notifications: {on_failure: [b@x]}
                  parameters: [{name: q, default: 2}]
                  tasks: [{task_key: z, max_retries: 2, timeout_seconds: 5}, {task_key: a, run_if: ALL_DONE}]
        """
    )
    job = resolved.resources["jobs"]["j"]
    assert job["description"] == "new"
    assert job["tags"] == {"a": "1", "b": "2", "c": "2"}
    assert job["email_notifications"] == {"on_failure": ["a@x", "b@x"]}
    assert job["parameters"] == [{"name": "p", "default": "1"}, {"name": "q", "default": "2"}]
    assert job["run_as"] == {"user_name": "anna"}
    assert [task["task_key"] for task in job["tasks"]] == ["a", "b", "z"]
    assert (job["tasks"][2]["max_retries"], job["tasks"][2]["timeout_seconds"]) == (2, 5)


def test_values_of_different_kinds_do_not_merge_and_hide_no_other_error(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        variables: {n: {default: 2}}
        resources: {jobs: {j: {max_concurrent_runs: 1, name: "${var.m}"}}}
        targets: {t: {resources: {jobs: {j: {max_concurrent_runs: "${var.n}"}}}}}
        """
    )
    assert "cannot merge a int with a string" in resolved.errors[0].message
    assert (resolved.errors[0].line, len(resolved.errors)) == (5, 2)


def test_tasks_of_one_key_merge_within_one_job(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources:
          jobs: {j: {tasks: [{task_key: a, max_retries: 1}, {task_key: a, notebook_task: {notebook_path: n.py}}]}}
        """
    )
    assert len(resolved.resources["jobs"]["j"]["tasks"]) == 1


def test_pipeline_clusters_merge_by_label_in_any_case_and_default_to_default(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources: {pipelines: {p: {clusters: [{num_workers: 1}, {label: Maintenance}]}}}
        targets: {t: {resources: {pipelines: {p: {clusters: [{label: DEFAULT, num_workers: 2}]}}}}}
        """
    )
    clusters = [{"label": "default", "num_workers": 2}, {"label": "maintenance"}]
    assert resolved.resources["pipelines"]["p"]["clusters"] == clusters


def test_the_old_word_for_cluster_id_still_counts(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources: {jobs: {j: {tasks: [{task_key: a, environment_key: e, notebook_task: {notebook_path: n.py}}]}}}
        targets: {t: {compute_id: c1}}
        """
    )
    assert resolved.resources["jobs"]["j"]["tasks"][0]["existing_cluster_id"] == "c1"
    assert "compute_id" in resolved.problems[0].message
