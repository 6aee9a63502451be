from __future__ import annotations

from collections.abc import Callable

import pytest

from medallion.spec.bundle import Resolved

Resolve = Callable[..., Resolved]


def test_defaults_of_jobs_pipelines_and_volumes(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources:
          jobs: {a: {}, b: {schedule: {quartz_cron_expression: "0 0 0 * * ?", timezone_id: UTC}, queue: {enabled: false}}}
          pipelines: {p: {}}
          volumes:
            v: {catalog_name: c, schema_name: s, name: v}
            w: {catalog_name: c, schema_name: "${resources.schemas.z.name}", name: w}
          schemas: {z: {catalog_name: c, name: zed, comment: "${resources.volumes.v.volume_path}"}}
        """
    )
    assert not resolved.problems
    found = resolved.resources
    assert found["jobs"]["a"] == {"name": "Untitled", "max_concurrent_runs": 1, "queue": {"enabled": True}}
    assert (found["jobs"]["b"]["schedule"]["pause_status"], found["jobs"]["b"]["queue"]) == (
        "UNPAUSED",
        {"enabled": False},
    )
    assert found["pipelines"]["p"] == {"channel": "CURRENT", "edition": "ADVANCED"}
    assert (found["volumes"]["v"]["volume_path"], found["volumes"]["v"]["volume_type"]) == ("/Volumes/c/s/v", "MANAGED")
    assert found["volumes"]["w"]["volume_path"] == "/Volumes/c/zed/w"
    assert found["schemas"]["z"]["comment"] == "/Volumes/c/s/v"


def test_clusters_are_completed(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources:
          jobs:
            j:
              job_clusters:
                - {job_cluster_key: a, new_cluster: {spark_version: "15"}}
                - {job_cluster_key: b, new_cluster: {autoscale: {min_workers: 1, max_workers: 2}}}
                - job_cluster_key: c
                  new_cluster:
                    instance_pool_id: p
                    node_type_id: n
                    num_workers: 1
                    aws_attributes: {instance_profile_arn: arn, zone_id: z}
        """
    )
    clusters = [item["new_cluster"] for item in resolved.resources["jobs"]["j"]["job_clusters"]]
    assert clusters == [
        {"spark_version": "15", "num_workers": 0},
        {"autoscale": {"min_workers": 1, "max_workers": 2}},
        {"instance_pool_id": "p", "num_workers": 1, "aws_attributes": {"instance_profile_arn": "arn"}},
    ]


@pytest.mark.parametrize(
    ("shared", "own", "expected"),
    [
        pytest.param("", "", None, id="none"),
        pytest.param(
            "", "{level: CAN_VIEW, group_name: g}", [("CAN_VIEW", "g"), ("IS_OWNER", "someone")], id="the user owns it"
        ),
        pytest.param(
            "", "{level: IS_OWNER, user_name: o}", [("IS_OWNER", "o"), ("CAN_MANAGE", "someone")], id="or manages it"
        ),
        pytest.param(
            "", "{level: CAN_MANAGE, user_name: someone}", [("IS_OWNER", "someone")], id="a manager becomes the owner"
        ),
        pytest.param(
            "",
            "{level: CAN_VIEW, user_name: u}, {level: CAN_MANAGE_RUN, user_name: u}",
            [("CAN_MANAGE_RUN", "u"), ("IS_OWNER", "someone")],
            id="the strongest counts",
        ),
        pytest.param(
            "{level: CAN_RUN, group_name: g}",
            "",
            [("CAN_MANAGE_RUN", "g"), ("IS_OWNER", "someone")],
            id="in a job's words",
        ),
        pytest.param(
            "{level: CAN_RUN, group_name: g}",
            "{level: CAN_VIEW, group_name: g}",
            [("CAN_VIEW", "g"), ("IS_OWNER", "someone")],
            id="the job's own win",
        ),
    ],
)
def test_permissions(resolve: Resolve, shared: str, own: str, expected: list[tuple[str, str]] | None) -> None:
    resolved = resolve(
        f"bundle: {{name: x}}\npermissions: [{shared}]\nresources: {{jobs: {{j: {{permissions: [{own}]}}}}}}"
    )
    found = resolved.resources["jobs"]["j"].get("permissions") or None
    people = found and [(item["level"], item.get("user_name") or item.get("group_name")) for item in found]
    assert people == expected


def test_grants_of_one_principal_merge(resolve: Resolve) -> None:
    grants = "{principal: p, privileges: [SELECT, MODIFY]}, {principal: q, privileges: [SELECT]}, "
    grants += "{principal: p, privileges: [SELECT, BROWSE]}"
    resolved = resolve(
        f"bundle: {{name: x}}\nresources: {{schemas: {{s: {{name: s, catalog_name: c, grants: [{grants}]}}}}}}"
    )
    assert resolved.resources["schemas"]["s"]["grants"] == [
        {"principal": "p", "privileges": ["SELECT", "MODIFY", "BROWSE"]},
        {"principal": "q", "privileges": ["SELECT"]},
    ]


def test_names_of_the_bundles_own_catalogs_and_schemas_become_references(resolve: Resolve) -> None:
    resolved = resolve(
        """
        bundle: {name: x}
        resources:
          catalogs: {shop: {name: c}}
          schemas: {gold: {name: g, catalog_name: c}, other: {name: g, catalog_name: d}}
          volumes: {v: {name: v, schema_name: g, catalog_name: c}, w: {name: w, schema_name: s, catalog_name: main}}
          pipelines: {p: {catalog: c, schema: g}, q: {catalog: d, target: g}}
        targets: {dev: {mode: development}}
        """
    )
    found = resolved.resources
    assert not resolved.problems
    catalog, schema = "${resources.catalogs.shop.name}", "${resources.schemas.gold.name}"
    assert (found["schemas"]["gold"]["catalog_name"], found["schemas"]["gold"]["name"]) == (catalog, "dev_someone_g")
    assert (found["volumes"]["v"]["catalog_name"], found["volumes"]["v"]["schema_name"]) == (catalog, schema)
    assert found["volumes"]["v"]["volume_path"] == "/Volumes/c/dev_someone_g/v"
    assert (found["volumes"]["w"]["catalog_name"], found["volumes"]["w"]["schema_name"]) == ("main", "s")
    assert (found["pipelines"]["p"]["catalog"], found["pipelines"]["p"]["schema"]) == (catalog, schema)
    assert (found["pipelines"]["q"]["catalog"], found["pipelines"]["q"]["target"]) == (
        "d",
        "${resources.schemas.other.name}",
    )
