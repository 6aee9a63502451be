"""The options of Auto Loader: what is read, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.errors import MedallionError
from medallion.runtime.spark.options import LoaderOptions, parse_options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(
            {"cloudFiles.useNotifications": True}, "cloudFiles.useNotifications is not supported", id="service"
        ),
        pytest.param(
            {"cloudFiles.allowOverwrites": "true"}, "cloudFiles.allowOverwrites is not supported", id="overwrites"
        ),
        pytest.param({"cloudFiles.schemaEvolutionMod": "x"}, "schemaevolutionmode", id="misspelt"),
        pytest.param({"cloudFiles.schemaEvolutionMode": "x"}, "schemaEvolutionMode has no value 'x'", id="mode"),
        pytest.param({"cloudFiles.format": "delta"}, "cloudFiles.format = 'delta'", id="format"),
        pytest.param({"badRecordsPath": "/x"}, "badRecordsPath is not supported", id="bad records"),
        pytest.param({"cloudFiles.maxBytesPerTrigger": "much"}, "maxBytesPerTrigger is no size", id="bytes"),
    ],
)
def test_the_error_names_the_option(options: dict[str, Any], words: str) -> None:
    with pytest.raises(MedallionError, match=words):
        parse_options({"cloudFiles.format": "json", **options})


@pytest.mark.parametrize(
    ("options", "member", "value"),
    [
        pytest.param({}, "files", 1000, id="1,000 files a batch"),
        pytest.param({"cloudFiles.maxFilesPerTrigger": "5"}, "files", 5, id="fewer files"),
        pytest.param({"cloudFiles.maxBytesPerTrigger": "10g"}, "size", 10 * 2**30, id="bytes"),
        pytest.param({"cloudFiles.maxBytesPerTrigger": "10g"}, "files", None, id="bytes and no files"),
        pytest.param({"CLOUDFILES.schemaEvolutionMode": "ADDNEWCOLUMNS"}, "mode", "addNewColumns", id="any case"),
        pytest.param({"cloudFiles.partitionColumns": "day, hour"}, "partitions", ("day", "hour"), id="partitions"),
        pytest.param({"cloudFiles.validateOptions": False, "cloudFiles.x": 1}, "format", "json", id="not validated"),
        pytest.param({"cloudFiles.useNotifications": "false"}, "existing", True, id="off is no wish"),
        pytest.param({"rescuedDataColumn": "rest", "header": True}, "reader", {"header": "true"}, id="of the format"),
    ],
)
def test_options_are_read(options: dict[str, Any], member: str, value: object) -> None:
    assert getattr(parse_options({"cloudFiles.format": "json", **options}), member) == value


def test_the_format_is_needed() -> None:
    with pytest.raises(MedallionError, match=r"needs the option cloudFiles\.format"):
        parse_options({})
    assert parse_options({"cloudFiles.format": "BINARYFILE"}) == LoaderOptions(format="binaryFile")
