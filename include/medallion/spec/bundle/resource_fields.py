"""Fields of a bundle's resources that are neither jobs, clusters nor pipelines, and what all resources share. Pure.

Source: the field lists that Databricks publishes for bundles, and those of its REST API.
"""

from __future__ import annotations

from medallion.spec.bundle.schema import (
    ANYTHING,
    BOOL,
    FLOAT,
    INT,
    TEXT,
    ListOf,
    MapOf,
    Schema,
    Struct,
    struct,
    words,
)

PERMISSION_LEVELS = words(
    *("CAN_ATTACH_TO", "CAN_BIND", "CAN_CREATE", "CAN_CREATE_APP", "CAN_EDIT", "CAN_EDIT_METADATA", "CAN_MANAGE"),
    *("CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE_RUN", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MONITOR"),
    *("CAN_MONITOR_ONLY", "CAN_QUERY", "CAN_READ", "CAN_RESTART", "CAN_RUN", "CAN_USE", "CAN_VIEW"),
    *("CAN_VIEW_METADATA", "IS_OWNER"),
)
RUN_AS = struct(user_name=TEXT, service_principal_name=TEXT)
RUN_AS_OR_GROUP = struct(user_name=TEXT, service_principal_name=TEXT, group_name=TEXT)
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


TAGS = ListOf(struct(key=TEXT, value=TEXT))
PAUSE = words("PAUSED", "UNPAUSED")
AGGREGATION = words("AVG", "COUNT", "COUNT_DISTINCT", "MAX", "MEDIAN", "MIN", "STDDEV", "SUM")
ALERT_STATE = words("ERROR", "OK", "TRIGGERED", "UNKNOWN")
COMPARISON = words(
    *("EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "IS_NOT_NULL", "IS_NULL", "LESS_THAN", "LESS_THAN_OR_EQUAL"),
    "NOT_EQUAL",
)


def texts(*names: str) -> dict[str, Schema]:
    """Fields of text."""
    return dict.fromkeys(names, TEXT)


def analytics() -> dict[str, Schema]:
    """Resources of SQL: alerts, dashboards, Genie spaces, warehouses."""
    column = struct(("name",), name=TEXT, display=TEXT, aggregation=AGGREGATION)
    notification = struct(
        notify_on_ok=BOOL,
        retrigger_seconds=INT,
        subscriptions=ListOf(struct(destination_id=TEXT, user_email=TEXT)),
    )
    threshold = struct(column=column, value=struct(bool_value=BOOL, double_value=FLOAT, string_value=TEXT))
    evaluation = struct(
        ("comparison_operator", "source"),
        comparison_operator=COMPARISON,
        empty_result_state=ALERT_STATE,
        last_evaluated_at=TEXT,
        notification=notification,
        source=column,
        state=ALERT_STATE,
        threshold=threshold,
    )
    alert = struct(
        ("display_name", "evaluation", "query_text", "schedule", "warehouse_id"),
        **texts("create_time", "custom_description", "custom_summary", "display_name", "file_path", "lifecycle_state"),
        **texts("owner_user_name", "parent_path", "query_text", "run_as_user_name", "update_time", "warehouse_id"),
        effective_run_as=RUN_AS,
        run_as=RUN_AS,
        evaluation=evaluation,
        parameters=ListOf(struct(("name",), name=TEXT, type=TEXT, value=TEXT)),
        schedule=struct(
            ("quartz_cron_schedule", "timezone_id"), quartz_cron_schedule=TEXT, timezone_id=TEXT, pause_status=PAUSE
        ),
    )
    dashboard = struct(
        **texts("create_time", "dashboard_id", "dataset_catalog", "dataset_schema", "display_name", "etag"),
        **texts("file_path", "lifecycle_state", "parent_path", "path", "update_time", "warehouse_id"),
        embed_credentials=BOOL,
        serialized_dashboard=ANYTHING,
    )
    genie_space = struct(
        **texts("description", "etag", "file_path", "parent_path", "title", "warehouse_id"), serialized_space=ANYTHING
    )
    channel = words("CHANNEL_NAME_CURRENT", "CHANNEL_NAME_CUSTOM", "CHANNEL_NAME_PREVIEW", "CHANNEL_NAME_PREVIOUS")
    warehouse = struct(
        **texts("cluster_size", "creator_name", "instance_profile_arn", "name"),
        **dict.fromkeys(("auto_stop_mins", "max_num_clusters", "min_num_clusters"), INT),
        **dict.fromkeys(("enable_photon", "enable_serverless_compute"), BOOL),
        channel=struct(dbsql_version=TEXT, name=channel),
        spot_instance_policy=words("COST_OPTIMIZED", "POLICY_UNSPECIFIED", "RELIABILITY_OPTIMIZED"),
        tags=struct(custom_tags=TAGS),
        warehouse_type=words("CLASSIC", "PRO", "TYPE_UNSPECIFIED"),
    )
    levels = permissions("CAN_MANAGE", "CAN_MONITOR", "CAN_USE", "CAN_VIEW", "IS_OWNER")
    return {
        "alerts": resource(alert, permissions=permissions()),
        "dashboards": resource(dashboard, permissions=permissions()),
        "genie_spaces": resource(genie_space, permissions=permissions()),
        "sql_warehouses": resource(warehouse, permissions=levels, lifecycle=struct(prevent_destroy=BOOL, started=BOOL)),
    }


def models() -> dict[str, Schema]:
    """Resources of machine learning: experiments, models, registered models."""
    table = struct(("catalog", "schema"), catalog=TEXT, schema=TEXT, effective_table_prefix=TEXT, table_prefix=TEXT)
    experiment = struct(
        ("name",), name=TEXT, artifact_location=TEXT, tags=TAGS, trace_location=struct(uc_trace_location=table)
    )
    model = struct(("name",), name=TEXT, description=TEXT, tags=TAGS)
    alias = struct(**texts("alias_name", "catalog_name", "id", "model_name", "schema_name"), version_num=INT)
    registered = struct(
        **texts("catalog_name", "comment", "created_by", "full_name", "metastore_id", "name", "owner"),
        **texts("schema_name", "storage_location", "updated_by"),
        aliases=ListOf(alias),
        browse_only=BOOL,
        created_at=INT,
        updated_at=INT,
    )
    production = ("CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE_STAGING_VERSIONS")
    return {
        "experiments": resource(experiment, permissions=permissions("CAN_EDIT", "CAN_MANAGE", "CAN_READ")),
        "models": resource(model, permissions=permissions("CAN_EDIT", "CAN_MANAGE", "CAN_READ", *production)),
        "registered_models": resource(registered, grants=GRANTS),
    }


def securables() -> dict[str, Schema]:
    """Catalogs, schemas and volumes, secret scopes, and monitors of tables."""
    azure = struct(
        ("azure_tenant_id",),
        **texts("azure_cmk_access_connector_id", "azure_cmk_managed_identity_id", "azure_tenant_id"),
    )
    catalog = struct(
        ("name",),
        **texts("comment", "connection_name", "name", "provider_name", "share_name", "storage_root"),
        custom_max_retention_hours=INT,
        options=MapOf(TEXT),
        properties=MapOf(TEXT),
        managed_encryption_settings=struct(
            **texts("azure_key_vault_key_id", "customer_managed_key_id"), azure_encryption_settings=azure
        ),
    )
    scope = struct(
        ("name",),
        name=TEXT,
        backend_type=words("AZURE_KEYVAULT", "DATABRICKS"),
        keyvault_metadata=struct(("dns_name", "resource_id"), dns_name=TEXT, resource_id=TEXT),
    )
    return {
        "catalogs": resource(catalog, grants=GRANTS),
        "schemas": schemas(),
        "volumes": volumes(),
        "secret_scopes": resource(scope, permissions=permissions("READ", "WRITE", "MANAGE")),
        "quality_monitors": resource(monitor()),
    }


def monitor() -> Struct:
    """The fields of a table's monitor."""
    metric = struct(
        ("definition", "input_columns", "name", "output_data_type", "type"),
        **texts("definition", "name", "output_data_type"),
        input_columns=ListOf(TEXT),
        type=words("CUSTOM_METRIC_TYPE_AGGREGATE", "CUSTOM_METRIC_TYPE_DERIVED", "CUSTOM_METRIC_TYPE_DRIFT"),
    )
    inference = struct(
        ("granularities", "model_id_col", "prediction_col", "problem_type", "timestamp_col"),
        **texts("label_col", "model_id_col", "prediction_col", "prediction_proba_col", "timestamp_col"),
        granularities=ListOf(TEXT),
        problem_type=words("PROBLEM_TYPE_CLASSIFICATION", "PROBLEM_TYPE_REGRESSION"),
    )
    mails = struct(email_addresses=ListOf(TEXT))
    schedule = struct(
        ("quartz_cron_expression", "timezone_id"),
        **texts("quartz_cron_expression", "timezone_id"),
        pause_status=words("PAUSED", "UNPAUSED", "UNSPECIFIED"),
    )
    return struct(
        ("assets_dir", "output_schema_name", "table_name"),
        **texts("assets_dir", "baseline_table_name", "latest_monitor_failure_msg", "output_schema_name"),
        **texts("table_name", "warehouse_id"),
        custom_metrics=ListOf(metric),
        data_classification_config=struct(enabled=BOOL),
        inference_log=inference,
        notifications=struct(on_failure=mails, on_new_classification_tag_detected=mails),
        schedule=schedule,
        skip_builtin_dashboard=BOOL,
        slicing_exprs=ListOf(TEXT),
        snapshot=struct(),
        time_series=struct(("granularities", "timestamp_col"), granularities=ListOf(TEXT), timestamp_col=TEXT),
    )


REQUIRED_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "apps": ("name",),
    "database_catalogs": ("database_instance_name", "database_name", "name"),
    "database_instances": ("name",),
    "external_locations": ("credential_name", "name", "url"),
    "instance_pools": ("instance_pool_name", "node_type_id"),
    "job_runs": ("job_id",),
    "model_serving_endpoints": ("name",),
    "synced_database_tables": ("name",),
    "vector_search_endpoints": ("endpoint_type", "name"),
}
"""What the resources that are not looked into must have at least."""
