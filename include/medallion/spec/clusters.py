"""Compute of a job: clusters, libraries, environments. Few keys mean something locally; all are kept. Pure."""

from __future__ import annotations

from medallion.spec.cluster_enums import (
    AwsAvailability,
    AzureAvailability,
    ClusterKind,
    ConfidentialCompute,
    DataSecurityMode,
    DependencyMode,
    EbsVolumeType,
    GcpAvailability,
    RuntimeEngine,
)
from medallion.spec.enums import HardwareAccelerator
from medallion.spec.model import Bool, Int, Model, Pairs, Texts


class AutoScale(Model):
    """Bounds of a cluster that grows and shrinks."""

    min_workers: Int | None = None
    max_workers: Int | None = None


class AwsAttributes(Model):
    """Settings for AWS."""

    availability: AwsAvailability | None = None
    ebs_volume_count: Int | None = None
    ebs_volume_iops: Int | None = None
    ebs_volume_size: Int | None = None
    ebs_volume_throughput: Int | None = None
    ebs_volume_type: EbsVolumeType | None = None
    first_on_demand: Int | None = None
    instance_profile_arn: str | None = None
    spot_bid_price_percent: Int | None = None
    zone_id: str | None = None


class LogAnalyticsInfo(Model):
    """Azure's log service."""

    log_analytics_primary_key: str | None = None
    log_analytics_workspace_id: str | None = None


class AzureAttributes(Model):
    """Settings for Azure."""

    availability: AzureAvailability | None = None
    capacity_reservation_group: str | None = None
    first_on_demand: Int | None = None
    log_analytics_info: LogAnalyticsInfo | None = None
    spot_bid_max_price: float | None = None


class GcpAttributes(Model):
    """Settings for Google Cloud."""

    availability: GcpAvailability | None = None
    boot_disk_size: Int | None = None
    confidential_compute_type: ConfidentialCompute | None = None
    first_on_demand: Int | None = None
    google_service_account: str | None = None
    local_ssd_count: Int | None = None
    use_preemptible_executors: Bool | None = None
    zone_id: str | None = None


class Storage(Model):
    """A place by its path or URL."""

    destination: str


class S3Storage(Model):
    """A place on S3."""

    destination: str
    canned_acl: str | None = None
    enable_encryption: Bool | None = None
    encryption_type: str | None = None
    endpoint: str | None = None
    kms_key: str | None = None
    region: str | None = None


class ClusterLogConf(Model):
    """Where a cluster's logs go."""

    dbfs: Storage | None = None
    s3: S3Storage | None = None
    volumes: Storage | None = None


class InitScript(Model):
    """A script that runs as a cluster starts."""

    abfss: Storage | None = None
    dbfs: Storage | None = None
    file: Storage | None = None
    gcs: Storage | None = None
    s3: S3Storage | None = None
    volumes: Storage | None = None
    workspace: Storage | None = None


class DockerBasicAuth(Model):
    """User and password of a container registry."""

    password: str | None = None
    username: str | None = None


class DockerImage(Model):
    """Container image of a cluster."""

    basic_auth: DockerBasicAuth | None = None
    url: str | None = None


class NodeTypeFlexibility(Model):
    """Other node types that would do."""

    alternate_node_type_ids: Texts | None = None
    aws_context_id: str | None = None


class WorkloadClients(Model):
    """What may run on the cluster."""

    jobs: Bool | None = None
    notebooks: Bool | None = None


class WorkloadType(Model):
    """What may run on the cluster."""

    clients: WorkloadClients


class ClusterSpec(Model):
    """A cluster. `spark_conf`, `spark_env_vars`, the number of workers and `spark_version` have a local meaning."""

    apply_policy_default_values: Bool | None = None
    autoscale: AutoScale | None = None
    autotermination_minutes: Int | None = None
    aws_attributes: AwsAttributes | None = None
    azure_attributes: AzureAttributes | None = None
    cluster_log_conf: ClusterLogConf | None = None
    cluster_name: str | None = None
    custom_tags: Pairs | None = None
    data_security_mode: DataSecurityMode | None = None
    dependency_mode: DependencyMode | None = None
    docker_image: DockerImage | None = None
    driver_instance_pool_id: str | None = None
    driver_node_type_flexibility: NodeTypeFlexibility | None = None
    driver_node_type_id: str | None = None
    enable_elastic_disk: Bool | None = None
    enable_local_disk_encryption: Bool | None = None
    gcp_attributes: GcpAttributes | None = None
    init_scripts: tuple[InitScript, ...] | None = None
    instance_pool_id: str | None = None
    is_single_node: Bool | None = None
    kind: ClusterKind | None = None
    node_type_id: str | None = None
    num_workers: Int | None = None
    policy_id: str | None = None
    remote_disk_throughput: Int | None = None
    runtime_engine: RuntimeEngine | None = None
    single_user_name: str | None = None
    spark_conf: Pairs | None = None
    spark_env_vars: Pairs | None = None
    spark_version: str | None = None
    ssh_public_keys: Texts | None = None
    total_initial_remote_disk_size: Int | None = None
    use_ml_runtime: Bool | None = None
    worker_node_type_flexibility: NodeTypeFlexibility | None = None
    workload_type: WorkloadType | None = None


class ServerlessCompute(Model):
    """Serverless compute that tasks share."""

    policy_id: str | None = None


class JobCluster(Model):
    """A cluster that tasks of the job share by its key."""

    job_cluster_key: str
    new_cluster: ClusterSpec | None = None
    serverless_compute: ServerlessCompute | None = None
    serverless_compute_id: str | None = None


class PyPiLibrary(Model):
    """A Python package."""

    package: str
    repo: str | None = None


class MavenLibrary(Model):
    """A JAR with what it needs."""

    coordinates: str
    exclusions: Texts | None = None
    repo: str | None = None


class CranLibrary(Model):
    """An R package."""

    package: str
    repo: str | None = None


class Library(Model):
    """One library of a task; one of the fields is set."""

    cran: CranLibrary | None = None
    egg: str | None = None
    jar: str | None = None
    maven: MavenLibrary | None = None
    pypi: PyPiLibrary | None = None
    requirements: str | None = None
    whl: str | None = None


class Environment(Model):
    """A Python environment: `dependencies` are lines of a pip requirements file."""

    base_environment: str | None = None
    client: str | None = None
    dependencies: Texts | None = None
    environment_version: str | None = None
    java_dependencies: Texts | None = None
    project_environment: str | None = None


class JobEnvironment(Model):
    """An environment that tasks share by its key."""

    environment_key: str
    spec: Environment | None = None


class EnvironmentVariablesSpec(Model):
    """Variables, and .env files whose lines come before them. Precedence: variables, later files, earlier files."""

    files: Texts | None = None
    variables: Pairs | None = None


class JobEnvironmentVariables(Model):
    """Environment variables that tasks share by their key."""

    environment_variables_key: str
    spec: EnvironmentVariablesSpec | None = None


class Compute(Model):
    """What a task wants of serverless compute."""

    hardware_accelerator: HardwareAccelerator | None = None
