"""Tasks that only a Databricks workspace can run: dashboards, alerts, Power BI, clean rooms, AI. Pure."""

from __future__ import annotations

from medallion.spec.enums import (
    AttachmentFormat,
    AuthenticationMethod,
    DescriptionElement,
    ExtractMode,
    HardwareAccelerator,
    PageSelection,
    PriorityClass,
    Source,
    StorageMode,
)
from medallion.spec.model import Bool, Int, Model, Pairs, SchemaField, Texts


class Subscriber(Model):
    """Who gets a dashboard's or an alert's mail."""

    destination_id: str | None = None
    user_name: str | None = None


class AttachedWidget(Model):
    """A widget on a page of a dashboard."""

    page_id: str
    widget_id: str


class DataAttachment(Model):
    """Data of widgets as a file."""

    widgets: tuple[AttachedWidget, ...]
    file_format: AttachmentFormat
    include_applied_filters: Bool | None = None


class PageAttachment(Model):
    """Pages of a dashboard as a picture."""

    page_ids: Texts | None = None
    page_selection: PageSelection | None = None


class Attachment(Model):
    """What is attached to a dashboard's mail."""

    data_attachment: DataAttachment | None = None
    page_attachment: PageAttachment | None = None


class Subscription(Model):
    """Mail with a dashboard's picture."""

    attachment: Attachment | None = None
    custom_subject: str | None = None
    paused: Bool | None = None
    subscribers: tuple[Subscriber, ...] | None = None


class DashboardTask(Model):
    """Refresh of an AI/BI dashboard."""

    dashboard_id: str | None = None
    filters: Pairs | None = None
    subscription: Subscription | None = None
    warehouse_id: str | None = None


class AlertTask(Model):
    """An alert, by its id or its path in the workspace."""

    alert_id: str | None = None
    parameters: Pairs | None = None
    subscribers: tuple[Subscriber, ...] | None = None
    warehouse_id: str | None = None
    workspace_path: str | None = None


class PowerBiModel(Model):
    """A semantic model."""

    authentication_method: AuthenticationMethod | None = None
    model_name: str | None = None
    overwrite_existing: Bool | None = None
    storage_mode: StorageMode | None = None
    workspace_name: str | None = None


class PowerBiTable(SchemaField):
    """A table of a semantic model."""

    catalog: str | None = None
    name: str | None = None
    storage_mode: StorageMode | None = None


class PowerBiTask(Model):
    """An update of a semantic model."""

    connection_resource_name: str | None = None
    power_bi_model: PowerBiModel | None = None
    refresh_after_update: Bool | None = None
    tables: tuple[PowerBiTable, ...] | None = None
    warehouse_id: str | None = None


class DbtPlatformTask(Model):
    """A job of the dbt platform."""

    connection_resource_name: str | None = None
    dbt_platform_job_id: str | None = None


class DbtCloudTask(Model):
    """A job of dbt Cloud; deprecated, see DbtPlatformTask."""

    connection_resource_name: str | None = None
    dbt_cloud_job_id: Int | None = None


class CleanRoomsNotebookTask(Model):
    """A notebook of a clean room."""

    clean_room_name: str
    notebook_name: str
    etag: str | None = None
    notebook_base_parameters: Pairs | None = None


class GpuCompute(Model):
    """GPUs of an AI runtime task."""

    accelerator_type: HardwareAccelerator
    accelerator_count: Int
    provisioned_capacity_id: str | None = None


class AiDeployment(Model):
    """A command on GPUs."""

    compute: GpuCompute
    command_path: str | None = None
    name: str | None = None


class AiRuntimeTask(Model):
    """Training on serverless GPUs."""

    experiment: str
    deployments: tuple[AiDeployment, ...]
    code_source_path: str | None = None
    docker_image_url: str | None = None
    mlflow_artifact_location: str | None = None
    mlflow_experiment_directory: str | None = None
    mlflow_run: str | None = None
    priority_class: PriorityClass | None = None
    unity_catalog_image_path: str | None = None


class QualifiedName(SchemaField):
    """A table by its three names."""

    catalog: str | None = None
    table: str | None = None


class AiLabel(Model):
    """A class of AI classification."""

    name: str
    description: str | None = None


class InlineLabels(Model):
    """The classes of AI classification."""

    labels: tuple[AiLabel, ...]


class AiClassify(Model):
    """AI classification."""

    version: str
    enable_confidence_scores: Bool | None = None
    enable_rationales: Bool | None = None
    inline_labels: InlineLabels | None = None
    instructions: str | None = None
    multilabel: Bool | None = None


class AiExtract(SchemaField):
    """AI extraction."""

    version: str
    enable_citations: Bool | None = None
    enable_confidence_scores: Bool | None = None
    instructions: str | None = None
    mode: ExtractMode | None = None


class AiParseDocument(Model):
    """AI parsing of documents."""

    version: str
    description_element_types: tuple[DescriptionElement, ...] | None = None
    image_output_path: str | None = None
    page_range: str | None = None


class DeltaTableSource(Model):
    """A column of a table as input."""

    table_name: str
    input_column: str
    merge_key_columns: Texts | None = None


class VolumeSource(Model):
    """Files of a volume as input."""

    volume_path: str


class AiFunctionTask(Model):
    """One AI function over a table or a volume."""

    output: QualifiedName
    ai_classify: AiClassify | None = None
    ai_extract: AiExtract | None = None
    ai_parse_document: AiParseDocument | None = None
    delta_table: DeltaTableSource | None = None
    volume: VolumeSource | None = None


class GpuPool(Model):
    """GPUs of a generative AI task; deprecated."""

    num_gpus: Int
    gpu_node_pool_id: str | None = None
    gpu_type: str | None = None


class GenAiComputeTask(Model):
    """Training on GPUs; deprecated, see AiRuntimeTask."""

    dl_runtime_image: str
    command: str | None = None
    compute: GpuPool | None = None
    mlflow_experiment_name: str | None = None
    source: Source | None = None
    training_script_path: str | None = None
    yaml_parameters: str | None = None
    yaml_parameters_file_path: str | None = None
