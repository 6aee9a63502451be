"""The words of the Jobs API: every enum that a job's settings can hold, spelled as the API spells them. Pure.

Source: databricks-sdk `service/jobs.py` and `service/compute.py`. Words that Databricks documents and the SDK lacks
are marked. tests/spec/test_sdk_drift.py compares the lists with the SDK.
"""

from __future__ import annotations

from medallion.spec.model import Choice


class PauseStatus(Choice):
    """Whether a trigger fires."""

    PAUSED = "PAUSED"
    UNPAUSED = "UNPAUSED"


class RunIf(Choice):
    """When a task runs, judged once all tasks that it depends on have ended."""

    ALL_SUCCESS = "ALL_SUCCESS"
    ALL_DONE = "ALL_DONE"
    NONE_FAILED = "NONE_FAILED"
    AT_LEAST_ONE_SUCCESS = "AT_LEAST_ONE_SUCCESS"
    ALL_FAILED = "ALL_FAILED"
    AT_LEAST_ONE_FAILED = "AT_LEAST_ONE_FAILED"


class ConditionOp(Choice):
    """Comparison of an if/else task: the first two compare text, the others numbers."""

    EQUAL_TO = "EQUAL_TO"
    NOT_EQUAL = "NOT_EQUAL"
    GREATER_THAN = "GREATER_THAN"
    GREATER_THAN_OR_EQUAL = "GREATER_THAN_OR_EQUAL"
    LESS_THAN = "LESS_THAN"
    LESS_THAN_OR_EQUAL = "LESS_THAN_OR_EQUAL"


class Source(Choice):
    """Where a notebook or file comes from."""

    WORKSPACE = "WORKSPACE"
    GIT = "GIT"


class TaskRetryMode(Choice):
    """Whether a continuous job retries its tasks."""

    NEVER = "NEVER"
    ON_FAILURE = "ON_FAILURE"


class DayOfWeek(Choice):
    """Day of a maintenance window."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class PeriodicUnit(Choice):
    """Unit of a periodic trigger."""

    MINUTES = "MINUTES"
    HOURS = "HOURS"
    DAYS = "DAYS"
    WEEKS = "WEEKS"


class TableCondition(Choice):
    """Which tables of a table-update trigger must have changed."""

    ANY_UPDATED = "ANY_UPDATED"
    ALL_UPDATED = "ALL_UPDATED"


class ModelCondition(Choice):
    """What a model trigger waits for."""

    MODEL_CREATED = "MODEL_CREATED"
    MODEL_VERSION_READY = "MODEL_VERSION_READY"
    MODEL_ALIAS_SET = "MODEL_ALIAS_SET"


class CompletionStatus(Choice):
    """How the jobs of a job-completion trigger must have ended."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    DONE = "DONE"


class SqlConditionMode(Choice):
    """What the query of a SQL condition must give for the trigger to fire."""

    QUERY_RETURNS_ROWS = "QUERY_RETURNS_ROWS"
    RESULT_VALUE_CHANGES = "RESULT_VALUE_CHANGES"


class HealthMetric(Choice):
    """What a health rule measures."""

    RUN_DURATION_SECONDS = "RUN_DURATION_SECONDS"
    STREAMING_BACKLOG_BYTES = "STREAMING_BACKLOG_BYTES"
    STREAMING_BACKLOG_RECORDS = "STREAMING_BACKLOG_RECORDS"
    STREAMING_BACKLOG_SECONDS = "STREAMING_BACKLOG_SECONDS"
    STREAMING_BACKLOG_FILES = "STREAMING_BACKLOG_FILES"


class HealthOperator(Choice):
    """How a health rule compares."""

    GREATER_THAN = "GREATER_THAN"


class JobFormat(Choice):
    """Written by old clients; the API has only MULTI_TASK since 2.1."""

    SINGLE_TASK = "SINGLE_TASK"
    MULTI_TASK = "MULTI_TASK"


class JobEditMode(Choice):
    """Whether the Databricks UI lets the job be edited."""

    UI_LOCKED = "UI_LOCKED"
    EDITABLE = "EDITABLE"


class JobDeploymentKind(Choice):
    """What deployed the job."""

    BUNDLE = "BUNDLE"
    SYSTEM_MANAGED = "SYSTEM_MANAGED"


class PerformanceTarget(Choice):
    """Serverless: speed against cost. COST_OPTIMIZED is documented and not in the SDK."""

    PERFORMANCE_OPTIMIZED = "PERFORMANCE_OPTIMIZED"
    STANDARD = "STANDARD"
    COST_OPTIMIZED = "COST_OPTIMIZED"


class PermissionLevel(Choice):
    """What a user, group or service principal may do with the job."""

    CAN_VIEW = "CAN_VIEW"
    CAN_MANAGE_RUN = "CAN_MANAGE_RUN"
    CAN_MANAGE = "CAN_MANAGE"
    IS_OWNER = "IS_OWNER"


class GitProvider(Choice):
    """Host of a Git repository. The API takes the words in any case; the text stays as it was written."""

    GIT_HUB = "gitHub"
    GIT_HUB_ENTERPRISE = "gitHubEnterprise"
    GIT_LAB = "gitLab"
    GIT_LAB_ENTERPRISE_EDITION = "gitLabEnterpriseEdition"
    BITBUCKET_CLOUD = "bitbucketCloud"
    BITBUCKET_SERVER = "bitbucketServer"
    AZURE_DEV_OPS_SERVICES = "azureDevOpsServices"
    AWS_CODE_COMMIT = "awsCodeCommit"

    @property
    def canonical(self) -> GitProvider | None:
        """The word in the API's own case; None when the API does not have it."""
        return next((member for member in GitProvider if member.value.lower() == self.value.lower()), None)

    @property
    def is_known(self) -> bool:
        """Whether the API has the word, in any case."""
        return self.canonical is not None


class JobSourceDirtyState(Choice):
    """State of a job that was made from a Git repository."""

    NOT_SYNCED = "NOT_SYNCED"
    DISCONNECTED = "DISCONNECTED"


class HardwareAccelerator(Choice):
    """GPU of serverless compute."""

    GPU_1XA10 = "GPU_1xA10"
    GPU_1XH100 = "GPU_1xH100"
    GPU_8XH100 = "GPU_8xH100"
    GPU_8XB300 = "GPU_8xB300"


class PriorityClass(Choice):
    """Priority of an AI runtime task. CRITICAL came and went between versions of the SDK."""

    NORMAL = "NORMAL"
    BEST_EFFORT = "BEST_EFFORT"
    CRITICAL = "CRITICAL"


class ExtractMode(Choice):
    """Mode of AI extraction."""

    MODE_PRECISION = "MODE_PRECISION"


class DescriptionElement(Choice):
    """What document parsing describes in words."""

    DESCRIPTION_ELEMENT_TYPE_ALL = "DESCRIPTION_ELEMENT_TYPE_ALL"
    DESCRIPTION_ELEMENT_TYPE_FIGURE = "DESCRIPTION_ELEMENT_TYPE_FIGURE"


class AttachmentFormat(Choice):
    """File format of a dashboard's data."""

    FILE_FORMAT_CSV = "FILE_FORMAT_CSV"
    FILE_FORMAT_EXCEL = "FILE_FORMAT_EXCEL"
    FILE_FORMAT_TSV = "FILE_FORMAT_TSV"


class PageSelection(Choice):
    """Which pages of a dashboard are sent."""

    PAGE_SELECTION_ALL = "PAGE_SELECTION_ALL"
    PAGE_SELECTION_SUBSET = "PAGE_SELECTION_SUBSET"


class AuthenticationMethod(Choice):
    """How Power BI signs in."""

    OAUTH = "OAUTH"
    PAT = "PAT"


class StorageMode(Choice):
    """How Power BI holds a table."""

    DIRECT_QUERY = "DIRECT_QUERY"
    DUAL = "DUAL"
    IMPORT = "IMPORT"
