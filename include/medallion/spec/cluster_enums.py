"""The words of a cluster's specification, spelled as the API spells them. Pure. Source: databricks-sdk compute."""

from __future__ import annotations

from medallion.spec.model import Choice


class DataSecurityMode(Choice):
    """Access mode of a cluster."""

    NONE = "NONE"
    SINGLE_USER = "SINGLE_USER"
    USER_ISOLATION = "USER_ISOLATION"
    DATA_SECURITY_MODE_AUTO = "DATA_SECURITY_MODE_AUTO"
    DATA_SECURITY_MODE_STANDARD = "DATA_SECURITY_MODE_STANDARD"
    DATA_SECURITY_MODE_DEDICATED = "DATA_SECURITY_MODE_DEDICATED"
    LEGACY_TABLE_ACL = "LEGACY_TABLE_ACL"
    LEGACY_PASSTHROUGH = "LEGACY_PASSTHROUGH"
    LEGACY_SINGLE_USER = "LEGACY_SINGLE_USER"
    LEGACY_SINGLE_USER_STANDARD = "LEGACY_SINGLE_USER_STANDARD"


class RuntimeEngine(Choice):
    """Engine of a cluster. NULL is a word of the API."""

    NULL = "NULL"
    STANDARD = "STANDARD"
    PHOTON = "PHOTON"


class ClusterKind(Choice):
    """Kind of a cluster."""

    CLASSIC_PREVIEW = "CLASSIC_PREVIEW"


class DependencyMode(Choice):
    """How a cluster gets its libraries."""

    DEPENDENCY_MODE_AUTO = "DEPENDENCY_MODE_AUTO"
    DEPENDENCY_MODE_CLUSTER_LIBRARIES = "DEPENDENCY_MODE_CLUSTER_LIBRARIES"
    DEPENDENCY_MODE_ENVIRONMENTS = "DEPENDENCY_MODE_ENVIRONMENTS"


class AwsAvailability(Choice):
    """Kind of AWS instances."""

    SPOT = "SPOT"
    ON_DEMAND = "ON_DEMAND"
    SPOT_WITH_FALLBACK = "SPOT_WITH_FALLBACK"


class EbsVolumeType(Choice):
    """Kind of AWS disks."""

    GENERAL_PURPOSE_SSD = "GENERAL_PURPOSE_SSD"
    THROUGHPUT_OPTIMIZED_HDD = "THROUGHPUT_OPTIMIZED_HDD"


class AzureAvailability(Choice):
    """Kind of Azure instances."""

    SPOT_AZURE = "SPOT_AZURE"
    ON_DEMAND_AZURE = "ON_DEMAND_AZURE"
    SPOT_WITH_FALLBACK_AZURE = "SPOT_WITH_FALLBACK_AZURE"


class GcpAvailability(Choice):
    """Kind of Google Cloud instances."""

    PREEMPTIBLE_GCP = "PREEMPTIBLE_GCP"
    ON_DEMAND_GCP = "ON_DEMAND_GCP"
    PREEMPTIBLE_WITH_FALLBACK_GCP = "PREEMPTIBLE_WITH_FALLBACK_GCP"


class ConfidentialCompute(Choice):
    """Confidential computing on Google Cloud."""

    CONFIDENTIAL_COMPUTE_TYPE_NONE = "CONFIDENTIAL_COMPUTE_TYPE_NONE"
    SEV_SNP = "SEV_SNP"
