from __future__ import annotations

from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved

Resolve = Callable[..., Resolved]
DEVELOPMENT = """
    bundle: {name: x}
    resources:
      jobs:
        bare: {}
        set: {name: n, max_concurrent_runs: 2, continuous: {pause_status: UNPAUSED}, tags: {dev: mine}}
        several: {triggers: [{periodic: {interval: 1, unit: HOURS}}]}
      pipelines: {p: {name: p, continuous: true}, q: {development: false}}
      schemas: {s: {name: s, catalog_name: c}}
      experiments: {e: {name: /Users/x/e}}
    targets: {dev: {mode: development}}
"""


def test_development_mode(resolve: Resolve) -> None:
    resolved = resolve(DEVELOPMENT, user="Anna.K@x.org")
    assert not resolved.problems
    jobs = resolved.resources["jobs"]
    assert jobs["bare"] == {
        "name": "[dev anna_k] ", "max_concurrent_runs": 4, "tags": {"dev": "anna_k"}, "queue": {"enabled": True}
    }  # fmt: skip
    assert (jobs["set"]["name"], jobs["set"]["max_concurrent_runs"]) == ("[dev anna_k] n", 2)
    assert (jobs["set"]["continuous"], jobs["set"]["tags"]) == ({"pause_status": "UNPAUSED"}, {"dev": "mine"})
    assert "pause_status" not in jobs["several"]["triggers"][0]
    pipelines = resolved.resources["pipelines"]
    assert (pipelines["p"]["development"], pipelines["p"]["continuous"]) == (True, False)
    assert pipelines["q"]["development"] is True
    assert resolved.resources["schemas"]["s"]["name"] == "dev_anna_k_s"
    assert resolved.resources["experiments"]["e"]["name"] == "/Users/x/[dev anna_k] e"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("mode: development, presets: {trigger_pause_status: UNPAUSED}", "UNPAUSED"),
        ("mode: development, presets: {name_prefix: team_}", "name_prefix must hold the user's name"),
        ("mode: development, workspace: {root_path: /Workspace/all}", "root_path must start with ~/"),
        ("mode: development, workspace: {file_path: /Workspace/all}", "file_path must start with ~/"),
        ("mode: production", "must set workspace.root_path"),
        (
            "mode: production, workspace: {root_path: /r}, resources: {pipelines: {p: {development: true}}}",
            "pipeline in development",
        ),
        ("mode: staging", "development or production"),
        ("presets: {trigger_pause_status: STOPPED}", "PAUSED or UNPAUSED"),
        ("workspace: {root_path: /Volumes/a/b/c}", "on a volume"),
        ("run_as: {user_name: a, service_principal_name: b}", "both"),
        ("run_as: {}", "none is set"),
        ("run_as: {user_name: other}, resources: {apps: {a: {}}}", "cannot run as another user"),
        ("permissions: [{level: CAN_READ, user_name: a}]", "permission level CAN_READ"),
    ],
)
def test_what_a_target_may_not_do(resolve: Resolve, target: str, words: str) -> None:
    resolved = resolve(f"bundle: {{name: x}}\nresources: {{jobs: {{j: {{}}}}}}\ntargets:\n  t: {{{target}}}")
    assert len(resolved.errors) == 1
    assert words in resolved.errors[0].message
    assert resolved.errors[0].line == 4


@pytest.mark.parametrize(
    ("target", "severities"),
    [
        ("mode: production, run_as: {user_name: a}", ["note"]),
        ("mode: production, workspace: {root_path: /r}", []),
        ("mode: production, workspace: {root_path: /r}, cluster_id: c", ["warning"]),
        ("mode: development, presets: {name_prefix: 'p_${workspace.current_user.short_name}_'}", []),
        ("mode: development, workspace: {root_path: ~/mine}", []),
        ("workspace: {root_path: /Shared/x}", ["warning"]),
        ("workspace: {root_path: /Shared/x}, permissions: [{level: CAN_MANAGE, group_name: users}]", ["note"]),
    ],
)
def test_what_a_target_may_do(resolve: Resolve, target: str, severities: list[str]) -> None:
    resolved = resolve(f"bundle: {{name: x}}\nresources: {{jobs: {{j: {{}}}}}}\ntargets:\n  t: {{{target}}}")
    assert [str(problem.severity) for problem in resolved.problems] == severities


@pytest.mark.parametrize(
    ("root", "deployed"),
    [
        ("~/a/../b", "/Workspace/Users/someone/b/files"),
        ("/Shared/x", "/Workspace/Shared/x/files"),
        ("/Workspace/Shared/${bundle.target}", "/Workspace/Shared/t/files"),
    ],
)
def test_workspace_paths(resolve: Resolve, root: str, deployed: str) -> None:
    assert resolve(f"bundle: {{name: x}}\ntargets: {{t: {{workspace: {{root_path: '{root}'}}}}}}").deployed == deployed


def test_a_cluster_override_replaces_the_compute_of_tasks_that_name_one(resolve: Resolve) -> None:
    text = """
        bundle: {name: x, cluster_id: c1}
        resources:
          jobs:
            j:
              tasks:
                - {task_key: a, job_cluster_key: k, notebook_task: {notebook_path: n.py}}
                - {task_key: b, notebook_task: {notebook_path: n.py}}
                - {task_key: c, for_each_task: {inputs: '[]', task: {task_key: d, environment_key: e}}}
        targets: {dev: {mode: development}, plain: {}}
    """
    tasks = resolve(text, target="plain").resources["jobs"]["j"]["tasks"]
    assert [task.get("existing_cluster_id") for task in tasks] == ["c1", None, None]
    assert "job_cluster_key" not in tasks[0]
    assert tasks[2]["for_each_task"]["task"] == {"task_key": "d", "existing_cluster_id": "c1"}
    environ = {"DATABRICKS_CLUSTER_ID": "c2"}
    assert (
        resolve(text, target="dev", environ=environ).resources["jobs"]["j"]["tasks"][0]["existing_cluster_id"] == "c2"
    )
    assert "ignored" in resolve(text, target="plain", environ=environ).problems[0].message


def test_tags_of_presets_reach_clusters_models_and_experiments(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        presets: {tags: {env: test}}
        resources:
          clusters: {c: {custom_tags: {env: own}}, d: {}}
          models: {m: {name: m, tags: [{key: team, value: data}]}}
          experiments: {e: {name: /e}}
        """
    )
    found = resolved.resources
    assert [found["clusters"][key]["custom_tags"] for key in ("c", "d")] == [{"env": "own"}, {"env": "test"}]
    assert found["models"]["m"]["tags"] == [{"key": "team", "value": "data"}, {"key": "env", "value": "test"}]
    assert found["experiments"]["e"]["tags"] == [{"key": "env", "value": "test"}]
