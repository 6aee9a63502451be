"""The options of Auto Loader: read, checked, refused by name. Runs in the task process; pure.

Names, defaults and rules: docs.databricks.com, ingestion/cloud-object-storage/auto-loader/options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medallion.errors import MedallionError, UnsupportedError
from medallion.spec.problems import did_you_mean

PREFIX = "cloudfiles."
FORMATS = ("json", "csv", "parquet", "text", "binaryFile", "orc", "xml")
BY_NAME = {name.lower(): name for name in FORMATS}
MODES = ("addNewColumns", "rescue", "failOnNewColumns", "none")
RESCUED = "_rescued_data"
FILES_PER_TRIGGER = 1000
UNITS = {"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30}

NO_SERVICE = "there is no notification service here; each trigger lists the folder"
NO_OVERWRITES = "a stream of open Spark takes each path once"
NO_CLEANING = "files that were read stay where they are"
# Options that mean nothing where every trigger lists the folder: accepted.
ACCEPTED = (
    *("useIncrementalListing", "backfillInterval", "useStrictGlobber", "maxFileAge", "listOnStart"),
    *("fetchParallelism", "schemaInferenceSampleSize"),
)
REFUSED_WHEN_TRUE = {
    "useNotifications": NO_SERVICE,
    "useManagedFileEvents": NO_SERVICE,
    "allowOverwrites": NO_OVERWRITES,
}
REFUSED = {
    **dict.fromkeys(("queueName", "queueUrl", "connectionString", "resourceGroup", "subscriptionId"), NO_SERVICE),
    **dict.fromkeys(("tenantId", "clientId", "clientSecret", "region", "restEndpoint", "snsTopicArn"), NO_SERVICE),
    **dict.fromkeys(("projectId", "subscription", "client", "clientEmail", "privateKey", "privateKeyId"), NO_SERVICE),
    **dict.fromkeys(("cleanSource.moveDestination", "cleanSource.retentionDuration"), NO_CLEANING),
}
REFUSED_OF_FORMATS = {
    "badRecordsPath": "records that cannot be read are kept in the rescued data column",
}
TAKEN = (
    *("format", "schemaLocation", "inferColumnTypes", "schemaHints", "schemaEvolutionMode", "includeExistingFiles"),
    *("maxFilesPerTrigger", "maxBytesPerTrigger", "validateOptions", "partitionColumns", "rescuedDataColumn"),
    *("cleanSource", "useNotifications", "useManagedFileEvents", "allowOverwrites"),
)
KNOWN = (*TAKEN, *ACCEPTED, *REFUSED)


class AutoLoaderError(MedallionError):
    """An option of Auto Loader has a value that is not allowed, or one is missing."""


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """What a reader of `cloudFiles`, `read_files` or COPY INTO was asked.

    :param format: one of FORMATS.
    :param mode: what to do with columns that the schema lacks; None = by whether there is a schema.
    :param partitions: columns taken from `name=value` folders; None = those that the first files show.
    :param rescued: name of the rescued data column; None = by whether there is a schema.
    :param files, size: the most per micro-batch: files, or bytes.
    :param reader: options for Spark's own reader of the format.
    """

    format: str
    schema_location: str | None = None
    infer_types: bool = False
    hints: str = ""
    mode: str | None = None
    existing: bool = True
    files: int | None = FILES_PER_TRIGGER
    size: int | None = None
    partitions: tuple[str, ...] | None = None
    rescued: str | None = None
    glob: str = ""
    after: str | None = None
    before: str | None = None
    reader: Mapping[str, str] = field(default_factory=dict)


def text_of(value: Any) -> str:
    """An option's value as Spark takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_options(given: Mapping[str, Any]) -> LoaderOptions:
    """The options of a stream reader of format `cloudFiles`.

    :raises AutoLoaderError: a value is not allowed or the format is missing; names the option.
    :raises UnsupportedError: an option that this Spark cannot do; names it.
    """
    own, rest = split(given)
    if truth("validateOptions", own.get("validateoptions", "true")):
        check_names(own)
    refuse(own, rest)
    files, size = limits(own)
    return LoaderOptions(
        format=format_of(own.get("format")),
        schema_location=own.get("schemalocation"),
        infer_types=truth("inferColumnTypes", own.get("infercolumntypes", "false")),
        hints=own.get("schemahints", ""),
        mode=mode_of(own.get("schemaevolutionmode")),
        existing=truth("includeExistingFiles", own.get("includeexistingfiles", "true")),
        files=files,
        size=size,
        partitions=names_of(own.get("partitioncolumns")),
        rescued=rest.pop("rescueddatacolumn", own.get("rescueddatacolumn")),
        glob=rest.pop("pathglobfilter", ""),
        after=rest.pop("modifiedafter", None),
        before=rest.pop("modifiedbefore", None),
        reader=rest,
    )


def split(given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Options of Auto Loader without their prefix, and those of the format. Names in lower case: case has no meaning."""
    own: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in given.items():
        if value is not None:
            low = name.lower()
            target, key = (own, low.removeprefix(PREFIX)) if low.startswith(PREFIX) else (rest, low)
            target[key] = text_of(value)
    return own, rest


def check_names(own: Mapping[str, str]) -> None:
    """Refuse names that Auto Loader does not have."""
    known = {name.lower() for name in KNOWN}
    for name in own:
        if name not in known and not name.startswith("resourcetag."):
            near = did_you_mean(name, [item.lower() for item in KNOWN])
            raise AutoLoaderError(
                f"Auto Loader has no option cloudFiles.{name}",
                hint=near or "cloudFiles.validateOptions = false allows it",
            )


def refuse(own: Mapping[str, str], rest: Mapping[str, str]) -> None:
    """Refuse, by name, what cannot be done."""
    for name, why in REFUSED_WHEN_TRUE.items():
        if truth(name, own.get(name.lower(), "false")):
            raise UnsupportedError(f"Auto Loader's option cloudFiles.{name} is not supported here: {why}")
    for name, why in REFUSED.items():
        if name.lower() in own:
            raise UnsupportedError(f"Auto Loader's option cloudFiles.{name} is not supported here: {why}")
    if own.get("cleansource", "off").lower() != "off":
        raise UnsupportedError(f"Auto Loader's option cloudFiles.cleanSource is not supported here: {NO_CLEANING}")
    for name, why in REFUSED_OF_FORMATS.items():
        if name.lower() in rest:
            raise UnsupportedError(f"the option {name} is not supported here: {why}")
    if not truth("readerCaseSensitive", rest.get("readercasesensitive", "true")):
        raise UnsupportedError("the option readerCaseSensitive = false is not supported here")


def truth(name: str, value: str) -> bool:
    """A yes or no."""
    if value.lower() not in {"true", "false"}:
        raise AutoLoaderError(f"option {name} must be true or false, not {value!r}")
    return value.lower() == "true"


def format_of(value: str | None) -> str:
    """The format's name as Spark spells it."""
    if value is None:
        raise AutoLoaderError("Auto Loader needs the option cloudFiles.format", hint=f"one of {', '.join(FORMATS)}")
    if value.lower() not in BY_NAME:
        raise UnsupportedError(
            f"cloudFiles.format = {value!r} is not supported here", hint=f"there are {', '.join(FORMATS)}"
        )
    return BY_NAME[value.lower()]


def mode_of(value: str | None) -> str | None:
    """The evolution mode as Databricks spells it."""
    if value is None:
        return None
    for mode in MODES:
        if mode.lower() == value.lower():
            return mode
    raise AutoLoaderError(
        f"cloudFiles.schemaEvolutionMode has no value {value!r}",
        hint=did_you_mean(value, MODES) or f"one of {', '.join(MODES)}",
    )


def names_of(value: str | None) -> tuple[str, ...] | None:
    """Names separated by commas."""
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())


def limits(own: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Files and bytes per micro-batch. Spark takes one of them: bytes count when both are given."""
    if "maxbytespertrigger" in own:
        return None, size_of(own["maxbytespertrigger"])
    count: Callable[[str], int | None] = lambda text: int(text) if text.isdecimal() and int(text) > 0 else None  # noqa: E731
    files = count(own.get("maxfilespertrigger", str(FILES_PER_TRIGGER)))
    if files is None:
        raise AutoLoaderError("cloudFiles.maxFilesPerTrigger must be a whole number above 0")
    return files, None


def size_of(text: str) -> int:
    """Bytes of a size such as 10g."""
    found = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in UNITS or int(found[1]) == 0:
        raise AutoLoaderError(f"cloudFiles.maxBytesPerTrigger is no size: {text!r}", hint="such as 10g or 500mb")
    return int(found[1]) * UNITS[found[2]]
