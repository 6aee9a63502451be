"""The fields of a bundle's files: the root, targets, variables, and the resources that a local runner uses. Pure.

Source: reference §17 and §18, and the field lists that Databricks publishes for bundles. Resources that are listed
neither here nor in `resource_fields.py` are kept as they are and not looked into.
"""

from __future__ import annotations

from functools import cache

from medallion.spec.bundle.resource_fields import (
    RUN_AS,
    RUN_AS_OR_GROUP,
    analytics,
    models,
    permissions,
    resource,
    securables,
)
from medallion.spec.bundle.schema import (
    ANYTHING,
    BOOL,
    INT,
    TEXT,
    ListOf,
    MapOf,
    Schema,
    Struct,
    from_model,
    struct,
    words,
)
from medallion.spec.clusters import ClusterSpec
from medallion.spec.job import Job

SINGULAR = {
    "alerts": "alert",
    "apps": "app",
    "catalogs": "catalog",
    "clusters": "cluster",
    "dashboards": "dashboard",
    "database_catalogs": "database_catalog",
    "database_instances": "database_instance",
    "experiments": "experiment",
    "external_locations": "external_location",
    "genie_spaces": "genie_space",
    "instance_pools": "instance_pool",
    "job_runs": "job_run",
    "jobs": "job",
    "model_serving_endpoints": "model_serving_endpoint",
    "models": "model",
    "pipelines": "pipeline",
    "postgres_branches": "postgres_branch",
    "postgres_catalogs": "postgres_catalog",
    "postgres_databases": "postgres_database",
    "postgres_endpoints": "postgres_endpoint",
    "postgres_projects": "postgres_project",
    "postgres_roles": "postgres_role",
    "postgres_synced_tables": "postgres_synced_table",
    "quality_monitors": "quality_monitor",
    "registered_models": "registered_model",
    "schemas": "schema",
    "secret_scopes": "secret_scope",
    "secrets": "secret",
    "sql_warehouses": "sql_warehouse",
    "synced_database_tables": "synced_database_table",
    "vector_search_endpoints": "vector_search_endpoint",
    "vector_search_indexes": "vector_search_index",
    "volumes": "volume",
}
"""Every kind of resource that a bundle may define, and the word for one of them."""

DAYS = words("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
GIT = struct(branch=TEXT, origin_url=TEXT, commit=TEXT, bundle_root_path=TEXT, actual_branch=TEXT)
CURRENT_USER = struct(
    short_name=TEXT, domain_friendly_name=TEXT, userName=TEXT, displayName=TEXT, id=TEXT, externalId=TEXT, active=BOOL
)
LOOKUP = struct(
    **dict.fromkeys(
        (
            *("alert", "cluster_policy", "cluster", "dashboard", "instance_pool", "job", "metastore"),
            *("notification_destination", "pipeline", "query", "service_principal", "warehouse"),
        ),
        TEXT,
    )
)
VARIABLE = struct(type=words("complex"), default=ANYTHING, description=TEXT, value=ANYTHING, lookup=LOOKUP)
PRESETS = struct(
    name_prefix=TEXT,
    pipelines_development=BOOL,
    trigger_pause_status=TEXT,
    jobs_max_concurrent_runs=INT,
    source_linked_deployment=BOOL,
    artifacts_dynamic_version=BOOL,
    tags=MapOf(TEXT),
)
BUNDLE = struct(
    ("name",),
    name=TEXT,
    target=TEXT,
    environment=TEXT,
    terraform=struct(exec_path=TEXT),
    force=BOOL,
    git=GIT,
    mode=TEXT,
    compute_id=TEXT,
    cluster_id=TEXT,
    engine=TEXT,
    deployment=struct(fail_on_active_runs=BOOL, lock=struct(enabled=BOOL, force=BOOL)),
    databricks_cli_version=TEXT,
    uuid=TEXT,
)
WORKSPACE_PATHS = ("root_path", "file_path", "resource_path", "artifact_path", "state_path")
AUTHENTICATION = (
    *("host", "profile", "auth_type", "metadata_service_url", "client_id", "google_service_account"),
    *("azure_workspace_resource_id", "azure_client_id", "azure_tenant_id", "azure_environment", "azure_login_app_id"),
    *("account_id", "workspace_id"),
)
WORKSPACE = Struct(
    {
        **dict.fromkeys((*AUTHENTICATION, *WORKSPACE_PATHS, "snapshot_path"), TEXT),
        "azure_use_msi": BOOL,
        "experimental_is_unified_host": BOOL,
        "current_user": CURRENT_USER,
    }
)
ARTIFACTS = MapOf(
    struct(
        type=words("whl", "jar"),
        path=TEXT,
        files=ListOf(struct(("source",), source=TEXT, patched=TEXT, remote_path=TEXT)),
        build=TEXT,
        executable=words("bash", "sh", "cmd"),
        dynamic_version=BOOL,
    )
)
SYNC = struct(paths=ListOf(TEXT), include=ListOf(TEXT), exclude=ListOf(TEXT))
PYTHON = struct(resources=ListOf(TEXT), mutators=ListOf(TEXT), venv_path=TEXT)
EXPERIMENTAL = struct(
    scripts=MapOf(TEXT),
    immutable_folder=BOOL,
    python_wheel_wrapper=BOOL,
    use_legacy_run_as=BOOL,
    pydabs=struct(enabled=BOOL),
    python=PYTHON,
    skip_artifact_cleanup=BOOL,
    skip_name_prefix_for_schema=BOOL,
    record_deployment_history=BOOL,
)


PIPELINE_CLUSTER_FIELDS = (
    *("apply_policy_default_values", "aws_attributes", "azure_attributes", "cluster_log_conf", "custom_tags"),
    *("driver_instance_pool_id", "driver_node_type_id", "enable_local_disk_encryption", "gcp_attributes"),
    *("init_scripts", "instance_pool_id", "node_type_id", "num_workers", "policy_id", "spark_conf"),
    *("spark_env_vars", "ssh_public_keys"),
)
PIPELINE_TEXTS = (
    *("name", "catalog", "schema", "target", "storage", "channel", "edition", "root_path"),
    *("budget_policy_id", "usage_policy_id", "serverless_compute_id"),
)
PIPELINE_FLAGS = (
    *("allow_duplicate_names", "cascade_on_destroy", "continuous", "development", "dry_run", "photon", "serverless"),
)


def pipelines(cluster: Struct) -> MapOf:
    """Declarative pipelines. Ingestion and gateways, which do not run locally, are not looked into."""
    autoscale = struct(
        ("max_workers", "min_workers"), max_workers=INT, min_workers=INT, mode=words("ENHANCED", "LEGACY")
    )
    shared = {name: cluster.fields[name] for name in PIPELINE_CLUSTER_FIELDS}
    clusters = Struct({**shared, "label": TEXT, "autoscale": autoscale})
    library = struct(
        notebook=struct(path=TEXT),
        file=struct(path=TEXT),
        glob=struct(include=TEXT),
        jar=TEXT,
        whl=TEXT,
        maven=struct(("coordinates",), coordinates=TEXT, repo=TEXT, exclusions=ListOf(TEXT)),
    )
    fields = Struct(
        {
            **dict.fromkeys(PIPELINE_TEXTS, TEXT),
            **dict.fromkeys(PIPELINE_FLAGS, BOOL),
            **dict.fromkeys(("configuration", "tags", "parameters"), MapOf(TEXT)),
            **dict.fromkeys(("gateway_definition", "ingestion_definition", "trigger", "deployment"), ANYTHING),
            "clusters": ListOf(clusters),
            "libraries": ListOf(library),
            "environment": struct(dependencies=ListOf(TEXT), environment_version=TEXT),
            "event_log": struct(catalog=TEXT, name=TEXT, schema=TEXT),
            "filters": struct(exclude=ListOf(TEXT), include=ListOf(TEXT)),
            "notifications": ListOf(struct(alerts=ListOf(TEXT), email_recipients=ListOf(TEXT))),
            "restart_window": struct(("start_hour",), start_hour=INT, days_of_week=ListOf(DAYS), time_zone_id=TEXT),
            "run_as": RUN_AS,
        }
    )
    return resource(fields, permissions=permissions("CAN_MANAGE", "CAN_RUN", "CAN_VIEW", "IS_OWNER"))


ONLY_IN_THE_API = ("access_control_list",)
"""What a request that creates a job may hold and a bundle may not: it has `permissions` instead."""


@cache
def resources() -> Struct:
    """Resources by kind."""
    job = from_model(Job)
    job = Struct({name: field for name, field in job.fields.items() if name not in ONLY_IN_THE_API}, job.required)
    cluster = from_model(ClusterSpec)
    known: dict[str, Schema] = {
        "jobs": resource(job, permissions=permissions("CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW", "IS_OWNER")),
        "clusters": resource(
            cluster,
            permissions=permissions("CAN_ATTACH_TO", "CAN_MANAGE", "CAN_RESTART"),
            lifecycle=struct(prevent_destroy=BOOL, started=BOOL),
        ),
        "pipelines": pipelines(cluster),
        **analytics(),
        **models(),
        **securables(),
    }
    return Struct({**dict.fromkeys(SINGULAR, MapOf(ANYTHING)), **known})


@cache
def root() -> Struct:
    """A bundle's file: the root file and every included one have the same fields."""
    target = struct(
        default=BOOL,
        mode=TEXT,
        presets=PRESETS,
        compute_id=TEXT,
        cluster_id=TEXT,
        bundle=BUNDLE,
        workspace=WORKSPACE,
        artifacts=ARTIFACTS,
        resources=resources(),
        variables=MapOf(VARIABLE),
        git=GIT,
        run_as=RUN_AS_OR_GROUP,
        sync=SYNC,
        permissions=permissions(),
    )
    return struct(
        variables=MapOf(VARIABLE),
        bundle=BUNDLE,
        include=ListOf(TEXT),
        workspace=WORKSPACE,
        artifacts=ARTIFACTS,
        resources=resources(),
        targets=MapOf(target),
        environments=MapOf(target),
        sync=SYNC,
        run_as=RUN_AS_OR_GROUP,
        presets=PRESETS,
        experimental=EXPERIMENTAL,
        permissions=permissions(),
        scripts=MapOf(struct(("content",), content=TEXT, env=MapOf(TEXT))),
        python=PYTHON,
        definitions=ANYTHING,
    )
