from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.cli.compute import bundle_and_compute
from medallion.errors import TargetError
from medallion.settings import Settings

BUNDLE = """
bundle: {name: b}
include: [more.yml]
targets:
  dev: {default: true}
  both: {}
resources:
  jobs:
    nightly: {name: nightly, tasks: [{task_key: t, notebook_task: {notebook_path: /n}}]}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "medallion.toml").write_text('[targets.farm]\nmemory = "1g"\n[targets.both]\nmemory = "1g"\n')
    bundle = tmp_path / "jobs" / "b"
    bundle.mkdir(parents=True)
    (bundle / "databricks.yml").write_text(BUNDLE)
    (bundle / "more.yml").write_text("targets:\n  prod: {}\n")
    plain = {"name": "plain", "tasks": [{"task_key": "t", "notebook_task": {"notebook_path": "/n"}}]}
    (tmp_path / "jobs" / "plain.json").write_text(json.dumps(plain))
    return Settings.load(tmp_path, environ={})


@pytest.mark.parametrize("place", ["nightly", "b", "file"])
@pytest.mark.parametrize(
    ("target", "compute", "meant"),
    [
        pytest.param(None, None, (None, None), id="nothing"),
        pytest.param("dev", None, ("dev", None), id="a bundle's target"),
        pytest.param("prod", None, ("prod", None), id="a bundle's target of an included file"),
        pytest.param("farm", None, (None, "farm"), id="a target of the settings"),
        pytest.param("both", None, ("both", None), id="of both kinds: the bundle's"),
        pytest.param("both", "both", ("both", "both"), id="of both kinds, the other one by --compute"),
        pytest.param(None, "farm", (None, "farm"), id="--compute alone"),
        pytest.param("typo", None, ("typo", None), id="of neither kind: the bundle says so"),
    ],
)
def test_what_target_and_compute_mean_for_a_job_of_a_bundle(
    settings: Settings, place: str, target: str | None, compute: str | None, meant: tuple[str | None, str | None]
) -> None:
    job = {"nightly": "nightly", "b": f"{settings.jobs_folder}/b::nightly"}.get(
        place, f"{settings.jobs_folder}/b/databricks.yml"
    )
    assert bundle_and_compute(settings, job, target, compute) == meant


def test_a_job_outside_of_bundles_has_no_target_of_one(settings: Settings) -> None:
    assert bundle_and_compute(settings, "plain", "farm", None) == (None, "farm")
    with pytest.raises(TargetError, match=r"did you mean farm\?"):
        bundle_and_compute(settings, "plain", "frm", None)


def test_compute_that_is_no_target_is_refused(settings: Settings) -> None:
    with pytest.raises(TargetError, match="there is no target 'prod' in settings"):
        bundle_and_compute(settings, "nightly", None, "prod")
