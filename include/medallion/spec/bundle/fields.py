"""The fields of a bundle's files: the root, targets, variables, and the resources that a local runner uses. Pure.

Source: reference §17 and §18, and the field lists that Databricks publishes for bundles. Resources that are not
listed here are kept as they are and not looked into.
"""

from __future__ import annotations

from functools import cache

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

REQUIRED_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "alerts": ("display_name", "evaluation", "query_text", "schedule", "warehouse_id"),
    "apps": ("name",),
    "catalogs": ("name",),
    "database_catalogs": ("database_instance_name", "database_name", "name"),
    "database_instances": ("name",),
    "external_locations": ("credential_name", "name", "url"),
    "instance_pools": ("instance_pool_name", "node_type_id"),
    "job_runs": ("job_id",),
    "model_serving_endpoints": ("name",),
    "models": ("name",),
    "quality_monitors": ("assets_dir", "output_schema_name", "table_name"),
    "secret_scopes": ("name",),
    "synced_database_tables": ("name",),
    "vector_search_endpoints": ("endpoint_type", "name"),
}
"""What the resources that are not looked into must have at least."""

PERMISSION_LEVELS = words(
    *("CAN_ATTACH_TO", "CAN_BIND", "CAN_CREATE", "CAN_CREATE_APP", "CAN_EDIT", "CAN_EDIT_METADATA", "CAN_MANAGE"),
    *("CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE_RUN", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MONITOR"),
    *("CAN_MONITOR_ONLY", "CAN_QUERY", "CAN_READ", "CAN_RESTART", "CAN_RUN", "CAN_USE", "CAN_VIEW"),
    *("CAN_VIEW_METADATA", "IS_OWNER"),
)
RUN_AS = struct(user_name=TEXT, service_principal_name=TEXT, group_name=TEXT)
LIFECYCLE = struct(prevent_destroy=BOOL)
PRIVILEGES = words(
    *("ACCESS", "ALL_PRIVILEGES", "APPLY_TAG", "BROWSE", "CREATE", "CREATE_CATALOG", "CREATE_CLEAN_ROOM"),
    *("CREATE_CONNECTION", "CREATE_EXTERNAL_LOCATION", "CREATE_EXTERNAL_TABLE", "CREATE_EXTERNAL_VOLUME"),
    *("CREATE_FOREIGN_CATALOG", "CREATE_FOREIGN_SECURABLE", "CREATE_FUNCTION", "CREATE_MANAGED_STORAGE"),
    *("CREATE_MATERIALIZED_VIEW", "CREATE_MODEL", "CREATE_PROVIDER", "CREATE_RECIPIENT", "CREATE_SCHEMA"),
    *("CREATE_SERVICE_CREDENTIAL", "CREATE_SHARE", "CREATE_STORAGE_CREDENTIAL", "CREATE_TABLE", "CREATE_VIEW"),
    *("CREATE_VOLUME", "EXECUTE", "EXECUTE_CLEAN_ROOM_TASK", "EXTERNAL_USE_SCHEMA", "MANAGE", "MANAGE_ALLOWLIST"),
    *("MODIFY", "MODIFY_CLEAN_ROOM", "READ_FILES", "READ_METADATA", "READ_PRIVATE_FILES", "READ_VOLUME"),
    *("REFRESH", "SELECT", "SET_SHARE_PERMISSION", "USAGE", "USE_CATALOG", "USE_CONNECTION"),
    *("USE_MARKETPLACE_ASSETS", "USE_PROVIDER", "USE_RECIPIENT", "USE_SCHEMA", "USE_SHARE", "WRITE_FILES"),
    *("WRITE_PRIVATE_FILES", "WRITE_VOLUME"),
)
GRANTS = ListOf(struct(principal=TEXT, privileges=ListOf(PRIVILEGES)))
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


def permissions(*levels: str) -> ListOf:
    """Who may do what with a resource."""
    level = words(*levels) if levels else PERMISSION_LEVELS
    return ListOf(struct(("level",), level=level, user_name=TEXT, service_principal_name=TEXT, group_name=TEXT))


def resource(base: Struct, **more: Schema) -> MapOf:
    """Resources of one kind by their key: the API's fields and those that only bundles have."""
    common: dict[str, Schema] = {"id": TEXT, "url": TEXT, "modified_status": TEXT, "lifecycle": LIFECYCLE}
    return MapOf(Struct({**common, **base.fields, **more}, base.required))


def schemas() -> MapOf:
    """Schemas of Unity Catalog."""
    fields = struct(
        ("catalog_name", "name"),
        name=TEXT,
        catalog_name=TEXT,
        comment=TEXT,
        properties=MapOf(TEXT),
        storage_root=TEXT,
        custom_max_retention_hours=INT,
    )
    return resource(fields, grants=GRANTS)


def volumes() -> MapOf:
    """Volumes of Unity Catalog."""
    fields = struct(
        ("catalog_name", "name", "schema_name", "volume_type"),
        name=TEXT,
        catalog_name=TEXT,
        schema_name=TEXT,
        comment=TEXT,
        storage_location=TEXT,
        volume_type=words("EXTERNAL", "MANAGED"),
        volume_path=TEXT,
    )
    return resource(fields, grants=GRANTS)


PIPELINE_CLUSTER_FIELDS = (
    *("apply_policy_default_values", "aws_attributes", "azure_attributes", "cluster_log_conf", "custom_tags"),
    *("driver_instance_pool_id", "driver_node_type_id", "enable_local_disk_encryption", "gcp_attributes"),
    *("init_scripts", "instance_pool_id", "node_type_id", "num_workers", "policy_id", "spark_conf"),
    *("spark_env_vars", "ssh_public_keys"),
)
PIPELINE_TEXTS = (
    *("name", "catalog", "schema", "target", "storage", "channel", "edition", "root_path", "run_as_user_name"),
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


@cache
def resources() -> Struct:
    """Resources by kind."""
    job = from_model(Job)
    cluster = from_model(ClusterSpec)
    known: dict[str, Schema] = {
        "jobs": resource(job, permissions=permissions("CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW", "IS_OWNER")),
        "clusters": resource(
            cluster,
            permissions=permissions("CAN_ATTACH_TO", "CAN_MANAGE", "CAN_RESTART"),
            lifecycle=struct(prevent_destroy=BOOL, started=BOOL),
        ),
        "pipelines": pipelines(cluster),
        "schemas": schemas(),
        "volumes": volumes(),
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
        run_as=RUN_AS,
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
        run_as=RUN_AS,
        presets=PRESETS,
        experimental=EXPERIMENTAL,
        permissions=permissions(),
        scripts=MapOf(struct(("content",), content=TEXT, env=MapOf(TEXT))),
        python=PYTHON,
        definitions=ANYTHING,
    )
