"""Whatever stands in a bundle, resolving it ends with an answer: JSON data and problems with places, never with a crash."""

from __future__ import annotations

import json
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medallion.spec.bundle import load_bundle, resolve_bundle

WORDS = [
    *(
        "bundle",
        "name",
        "variables",
        "default",
        "type",
        "complex",
        "lookup",
        "cluster",
        "targets",
        "mode",
        "development",
    ),
    *(
        "production",
        "workspace",
        "root_path",
        "resources",
        "jobs",
        "pipelines",
        "schemas",
        "volumes",
        "tasks",
        "task_key",
    ),
    *(
        "notebook_task",
        "notebook_path",
        "for_each_task",
        "task",
        "job_clusters",
        "new_cluster",
        "job_cluster_key",
        "tags",
    ),
    *("parameters", "schedule", "continuous", "trigger", "permissions", "level", "IS_OWNER", "user_name", "run_as"),
    *("presets", "name_prefix", "include", "sync", "paths", "environments", "libraries", "whl", "clusters", "label"),
    *(
        "spec",
        "dependencies",
        "git_source",
        "grants",
        "principal",
        "privileges",
        "scripts",
        "content",
        "experiments",
        "k",
    ),
]
REFERENCES = [
    "${var.k}",
    "${bundle.name}",
    "x ${var.k.k[0]}",
    "${resources.jobs.k.id}",
    "${workspace.current_user}",
    "~/k",
]
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS + REFERENCES) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inside, max_size=4),
    max_leaves=12,
)
JOBS = st.dictionaries(st.just("k"), st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6) | VALUES)
RESOURCES = st.dictionaries(st.sampled_from(["jobs", "pipelines", "volumes", "schemas", "clusters"]), JOBS)
ROOTS = st.fixed_dictionaries(
    {"bundle": st.just({"name": "x"}) | VALUES},
    optional={
        "resources": RESOURCES | VALUES,
        "variables": st.dictionaries(st.just("k"), st.dictionaries(st.just("default"), VALUES)) | VALUES,
        "targets": st.dictionaries(
            st.just("t"), st.fixed_dictionaries({}, optional={"resources": RESOURCES, "mode": VALUES})
        ),
        "presets": VALUES,
        "workspace": VALUES,
        "permissions": VALUES,
        "run_as": VALUES,
        "sync": VALUES,
        "scripts": VALUES,
        "artifacts": VALUES,
    },
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(ROOTS)
def test_no_bundle_crashes_the_resolver(tmp_path: Path, root: object) -> None:
    (tmp_path / "databricks.yml").write_text(json.dumps(root))
    resolved = resolve_bundle(tmp_path, environ={})
    json.dumps(resolved.resources)
    assert all(problem.message for problem in resolved.problems)
    load_bundle(tmp_path, environ={})


def test_a_bundle_of_one_job_loads_in_milliseconds() -> None:
    bundle = Path(__file__).parents[2] / "data" / "bundles" / "01_minimal"
    load_bundle(bundle, environ={})
    times = []
    for _ in range(10):
        start = time.perf_counter()
        load_bundle(bundle, environ={})
        times.append(time.perf_counter() - start)
    assert min(times) < 0.03
