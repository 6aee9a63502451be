"""A job and its tasks as the Jobs API states them. Runs at parse, in the CLI and in task processes; pure.

`Job.from_json(x).to_json() == x` for every valid job: unset fields stay unset, unknown keys and nulls are kept.
Checks beyond the types of fields are in check.py. Source of the fields: databricks-sdk `JobSettings`, and the keys
that only bundles (`permissions`, `lifecycle`) and only create requests (`access_control_list`) have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.spec.clusters import (
    ClusterSpec,
    Compute,
    JobCluster,
    JobEnvironment,
    JobEnvironmentVariables,
    Library,
)
from medallion.spec.enums import (
    GitProvider,
    JobDeploymentKind,
    JobEditMode,
    JobFormat,
    JobSourceDirtyState,
    PerformanceTarget,
    PermissionLevel,
    RunIf,
)
from medallion.spec.external_tasks import (
    AiFunctionTask,
    AiRuntimeTask,
    AlertTask,
    CleanRoomsNotebookTask,
    DashboardTask,
    DbtCloudTask,
    DbtPlatformTask,
    GenAiComputeTask,
    PowerBiTask,
)
from medallion.spec.model import Bool, Int, Model, Pairs, Texts
from medallion.spec.notifications import (
    EmailNotifications,
    HealthRules,
    JobNotificationSettings,
    TaskNotificationSettings,
    WebhookNotifications,
)
from medallion.spec.tasks import (
    ConditionTask,
    DbtTask,
    NotebookTask,
    PipelineTask,
    PythonOperatorTask,
    PythonWheelTask,
    RunJobTask,
    SparkJarTask,
    SparkPythonTask,
    SparkSubmitTask,
    SqlTask,
)
from medallion.spec.triggers import Continuous, CronSchedule, Trigger, TriggerEntry


class TaskDependency(Model):
    """A task that must end before; `outcome` ("true" or "false") chooses a branch of an if/else task."""

    task_key: str
    outcome: str | None = None


class Task(Model):
    """One task. One `*_task` field is set; `kind` is its name and `payload` its value."""

    task_key: str
    ai_function_task: AiFunctionTask | None = None
    ai_runtime_task: AiRuntimeTask | None = None
    alert_task: AlertTask | None = None
    clean_rooms_notebook_task: CleanRoomsNotebookTask | None = None
    compute: Compute | None = None
    condition_task: ConditionTask | None = None
    dashboard_task: DashboardTask | None = None
    dbt_cloud_task: DbtCloudTask | None = None
    dbt_platform_task: DbtPlatformTask | None = None
    dbt_task: DbtTask | None = None
    depends_on: tuple[TaskDependency, ...] | None = None
    description: str | None = None
    disable_auto_optimization: Bool | None = None
    disabled: Bool | None = None
    email_notifications: EmailNotifications | None = None
    environment_key: str | None = None
    environment_variables_key: str | None = None
    existing_cluster_id: str | None = None
    for_each_task: ForEachTask | None = None
    gen_ai_compute_task: GenAiComputeTask | None = None
    health: HealthRules | None = None
    job_cluster_key: str | None = None
    libraries: tuple[Library, ...] | None = None
    max_retries: Int | None = None
    min_retry_interval_millis: Int | None = None
    new_cluster: ClusterSpec | None = None
    notebook_task: NotebookTask | None = None
    notification_settings: TaskNotificationSettings | None = None
    pipeline_task: PipelineTask | None = None
    power_bi_task: PowerBiTask | None = None
    python_operator_task: PythonOperatorTask | None = None
    python_wheel_task: PythonWheelTask | None = None
    retry_on_timeout: Bool | None = None
    run_if: RunIf | None = None
    run_job_task: RunJobTask | None = None
    spark_jar_task: SparkJarTask | None = None
    spark_python_task: SparkPythonTask | None = None
    spark_submit_task: SparkSubmitTask | None = None
    sql_task: SqlTask | None = None
    timeout_seconds: Int | None = None
    webhook_notifications: WebhookNotifications | None = None

    @property
    def kind(self) -> str:
        """Name of the one `*_task` field that is set, such as "notebook_task"; also one the API added later."""
        for name in self.model_fields_set:
            if name.endswith("_task") and getattr(self, name) is not None:
                return name
        raise ValueError(f"task {self.task_key!r} has no task type")

    @property
    def payload(self) -> Any:
        """Value of the field that `kind` names."""
        return getattr(self, self.kind)

    def payload_json(self) -> dict[str, Any]:
        """The payload as it was given. `payload.to_json` would build a serialiser of its own in each task's process."""
        kind = self.kind
        found: dict[str, Any] = self.model_dump(mode="json", exclude_unset=True, include={kind})[kind]
        return found


class ForEachTask(Model):
    """A task that is repeated for each element of `inputs`, the text of a JSON array or a reference."""

    inputs: str
    task: Task
    concurrency: Int | None = None


class JobParameter(Model):
    """A parameter of the job; values are text."""

    name: str
    default: str


class QueueSettings(Model):
    """Whether runs over the limit wait."""

    enabled: Bool


class JobRunAs(Model):
    """Whose rights the job has: one of the fields is set."""

    group_name: str | None = None
    service_principal_name: str | None = None
    user_name: str | None = None


class JobDeployment(Model):
    """What deployed the job."""

    kind: JobDeploymentKind
    deployment_id: str | None = None
    metadata_file_path: str | None = None
    version_id: str | None = None


class GitSnapshot(Model):
    """The commit that a run used; read-only."""

    used_commit: str | None = None


class JobSource(Model):
    """A job that was made from a file in a Git repository."""

    job_config_path: str
    import_from_git_branch: str
    dirty_state: JobSourceDirtyState | None = None


class SparseCheckout(Model):
    """Folders to check out."""

    patterns: Texts | None = None


class GitSource(Model):
    """A Git repository that tasks read from; one of branch, commit and tag is set."""

    git_url: str
    git_provider: GitProvider
    git_branch: str | None = None
    git_commit: str | None = None
    git_snapshot: GitSnapshot | None = None
    git_tag: str | None = None
    job_source: JobSource | None = None
    sparse_checkout: SparseCheckout | None = None


class AccessControl(Model):
    """A permission in a create request."""

    group_name: str | None = None
    permission_level: PermissionLevel | None = None
    service_principal_name: str | None = None
    user_name: str | None = None


class Permission(Model):
    """A permission in a bundle."""

    level: PermissionLevel
    group_name: str | None = None
    service_principal_name: str | None = None
    user_name: str | None = None


class Lifecycle(Model):
    """What a bundle's deployment may do with the job."""

    prevent_destroy: Bool | None = None


class Job(Model):
    """The settings of a job."""

    access_control_list: tuple[AccessControl, ...] | None = None
    budget_policy_id: str | None = None
    continuous: Continuous | None = None
    deployment: JobDeployment | None = None
    description: str | None = None
    duration_target: str | None = None
    edit_mode: JobEditMode | None = None
    email_notifications: EmailNotifications | None = None
    environment_variables: tuple[JobEnvironmentVariables, ...] | None = None
    environments: tuple[JobEnvironment, ...] | None = None
    format: JobFormat | None = None
    git_source: GitSource | None = None
    health: HealthRules | None = None
    job_clusters: tuple[JobCluster, ...] | None = None
    lifecycle: Lifecycle | None = None
    max_concurrent_runs: Int | None = None
    name: str | None = None
    notification_settings: JobNotificationSettings | None = None
    parameters: tuple[JobParameter, ...] | None = None
    parent_path: str | None = None
    performance_target: PerformanceTarget | None = None
    permissions: tuple[Permission, ...] | None = None
    queue: QueueSettings | None = None
    run_as: JobRunAs | None = None
    schedule: CronSchedule | None = None
    tags: Pairs | None = None
    tasks: tuple[Task, ...] | None = None
    timeout_seconds: Int | None = None
    trigger: Trigger | None = None
    triggers: tuple[TriggerEntry, ...] | None = None
    usage_policy_id: str | None = None
    webhook_notifications: WebhookNotifications | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """The job of a JSON object that has been checked.

        :raises pydantic.ValidationError: a field has a wrong type; `check.check_job` reports that with its place.
        """
        return cls.model_validate(data)


TASK_KINDS = tuple(name for name in Task.model_fields if name.endswith("_task"))
"""Every `*_task` field that the API has."""

Task.model_rebuild()
Job.model_rebuild()
