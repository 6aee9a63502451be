"""Spark settings that a driver needs for three-level names on folders. Used where a driver is started (worker).

The JAR beside this module (`jars/medallion-catalog.jar`, sources in `jvm/`) maps `catalog.schema.table` to
`<lake>/<catalog>/<schema>/<table>` and adds the Databricks statements on catalogs and volumes to Spark's SQL.
"""

from __future__ import annotations

from pathlib import Path

JAR = Path(__file__).parent / "jars" / "medallion-catalog.jar"
"""The JAR that must be on the driver's class path, next to Delta's."""

CATALOG_CLASS = "medallion.catalog.FolderCatalog"
EXTENSIONS = ("io.delta.sql.DeltaSparkSessionExtension", "medallion.catalog.Extensions")
"""Order matters: the last one sees a statement first, and hands on to Delta what is not its own."""


def catalog_conf(lake: Path, volumes: Path | None = None, *, default_catalog: str = "main") -> dict[str, str]:
    """Spark conf of a driver whose catalogs are the folders of `lake`.

    No catalog besides the default one is named: each folder of the lake is a catalog as soon as it exists.

    :param lake: folder of the catalogs; made when the first table is written.
    :param volumes: the folder that `/Volumes` stands for; None = Spark's own `/Volumes`, whatever that is mapped to.
    :param default_catalog: the catalog of names with fewer than three parts.
    """
    root = lake.absolute().as_uri()
    conf = {
        "spark.sql.extensions": ",".join(EXTENSIONS),
        # An in-memory session catalog: no Derby, no metastore_db folder. Its warehouse is hidden below the lake.
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": f"{root}/.spark_catalog",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.defaultCatalog": default_catalog,
        f"spark.sql.catalog.{default_catalog}": CATALOG_CLASS,
        "spark.medallion.lake": root,
        "spark.medallion.defaultCatalog": default_catalog,
        # The same for the local disk: a writer of data does not bring back a schema that was dropped meanwhile.
        "spark.hadoop.medallion.lake": root,
        "spark.hadoop.medallion.lake.defaultCatalog": default_catalog,
        "spark.sql.sources.default": "delta",
        # VACUUM spreads its listing over this many tasks, whatever the number of files (Spark's default: 10000).
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    }
    if volumes is not None:
        conf["spark.medallion.volumes"] = volumes.absolute().as_uri()
    return conf
