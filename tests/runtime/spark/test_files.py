"""Small texts in folders of the driver's file systems."""

from __future__ import annotations

from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkProcess

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    "root", ["/Volumes/main/default", "dbfs:/folders", "file:{home}"], ids=["volume", "dbfs", "file"]
)
def test_of_several_that_write_a_name_one_does_and_nothing_else_is_left(
    spark: SparkProcess, lake: Lake, root: str
) -> None:
    path = f"{root.format(home=lake.folder)}/claims"

    def work(session: Any) -> tuple[list[str], list[bool], list[str], str]:
        from concurrent.futures import ThreadPoolExecutor

        from medallion.runtime.spark.files import Folder

        folder = Folder(session, path)
        before = folder.names()
        with ThreadPoolExecutor(4) as threads:
            won = list(threads.map(lambda number: folder.write("1", f"text {number}"), range(4)))
        return before, won, [name for name in folder.names() if not name.endswith(".crc")], folder.read("1")

    before, won, names, text = spark.call(work)
    assert before == []
    assert sum(won) == 1
    assert names == ["1"]
    assert text == f"text {won.index(True)}"
