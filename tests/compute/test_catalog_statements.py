"""Databricks' statements on catalogs and volumes, and catalogs that come and go while sessions are open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from compute.catalog_spark import Lake, SparkFailure, SparkProcess, open_lake

from medallion.runtime.failures import advice_of

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with open_lake(tmp_path_factory.mktemp("statements")) as lake:
        yield lake


@pytest.fixture(scope="module")
def shared(lake: Lake) -> SparkProcess:
    return lake.spark()


@pytest.fixture
def spark(shared: SparkProcess) -> SparkProcess:
    """The shared session, back in its first catalog, with no catalog c or d."""
    shared.sql("USE main.default")
    shared.sql("DROP CATALOG IF EXISTS c CASCADE")
    shared.sql("DROP CATALOG IF EXISTS d CASCADE")
    return shared


def test_catalogs_are_created_described_used_and_dropped(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE CATALOG IF NOT EXISTS c MANAGED LOCATION '/Volumes/x' COMMENT 'it''s ours'; -- made")
    spark.sql("create catalog if not exists `C`")
    with pytest.raises(SparkFailure, match="already exists"):
        spark.sql("CREATE CATALOG c")
    about = dict(spark.sql("DESCRIBE CATALOG EXTENDED c"))
    assert (about["Catalog Name"], about["Comment"]) == ("c", "it's ours")
    spark.sql("COMMENT ON CATALOG c IS 'other'")
    assert dict(spark.sql("DESC CATALOG c"))["Comment"] == "other"
    spark.sql("/* go */ USE CATALOG c")
    assert spark.sql("SELECT current_catalog(), current_schema()") == [("c", "default")]
    spark.sql("CREATE SCHEMA s MANAGED LOCATION '/Volumes/x'")
    with pytest.raises(SparkFailure, match="not empty"):
        spark.sql("DROP CATALOG c")
    spark.sql("DROP CATALOG c CASCADE")
    assert not (lake.path / "c").exists()
    assert spark.sql("SELECT current_catalog()") == [("main",)]
    spark.sql("DROP CATALOG IF EXISTS c")
    with pytest.raises(SparkFailure, match="does not exist"):
        spark.sql("DROP CATALOG c")
    with pytest.raises(SparkFailure, match="There is no catalog"):
        spark.sql("USE CATALOG c")


def test_names_may_come_from_parameters(spark: SparkProcess) -> None:
    spark.sql("CREATE CATALOG IF NOT EXISTS IDENTIFIER(:catalog)", catalog="c")
    spark.sql("USE CATALOG IDENTIFIER(:catalog)", catalog="c")
    spark.sql("CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:catalog || '.s')", catalog="c")
    spark.sql("CREATE TABLE IDENTIFIER(:t) COMMENT :about AS SELECT :x AS x", t="c.s.t", x=5, about="it's")
    assert spark.sql("SELECT x FROM IDENTIFIER(:t) LIMIT :n", t="c.s.t", n=1) == [(5,)]
    spark.sql("OPTIMIZE IDENTIFIER(:t)", t="c.s.t")
    assert len(spark.sql("DESCRIBE HISTORY IDENTIFIER(:t)", t="c.s.t")) == 1
    assert spark.sql("ANALYZE TABLE IDENTIFIER(:t) COMPUTE STATISTICS", t="c.s.t")


def test_volumes_are_folders(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE CATALOG c")
    spark.sql("CREATE SCHEMA c.s")
    spark.sql("CREATE VOLUME c.s.files COMMENT 'landing'")
    spark.sql("CREATE VOLUME IF NOT EXISTS c.s.files")
    spark.sql("USE c.s")
    spark.sql("CREATE VOLUME more")
    assert (lake.volumes / "c" / "s" / "files").is_dir()
    assert spark.sql("SHOW VOLUMES IN c.s") == [("s", "files"), ("s", "more")]
    assert spark.sql("SHOW VOLUMES LIKE 'f*'") == [("s", "files")]
    assert spark.sql("DESCRIBE VOLUME files")[0][-1] == "/Volumes/c/s/files"
    spark.sql("DROP VOLUME s.files")
    spark.sql("DROP VOLUME IF EXISTS c.s.files")
    assert spark.sql("SHOW VOLUMES IN c.s") == [("s", "more")]
    shutil.rmtree(lake.volumes / "c")


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT SELECT ON TABLE main.default.t TO `someone@example.com`",
        "GRANT USE CATALOG ON CATALOG main TO team",
        "REVOKE ALL PRIVILEGES ON SCHEMA main.default FROM team",
        "ALTER CATALOG main OWNER TO someone",
        "ALTER SCHEMA main.default SET OWNER TO someone",
        "ALTER TABLE main.default.t SET TAGS ('a' = 'b')",
    ],
)
def test_rights_owners_and_tags_are_accepted_with_a_note(spark: SparkProcess, statement: str) -> None:
    [(note,)] = spark.sql(statement)
    assert "no effect" in note


@pytest.mark.parametrize("statement", ["CREATE CATALOG c d", "DROP VOLUME a.b.c d", "DESCRIBE CATALOG a extended b"])
def test_what_is_not_understood_is_said(spark: SparkProcess, statement: str) -> None:
    with pytest.raises(SparkFailure, match="Not understood at"):
        spark.sql(statement)


def test_other_statements_are_left_alone(spark: SparkProcess) -> None:
    assert spark.sql("SELECT 'USE CATALOG c' AS a, 1 AS `grant` -- CREATE CATALOG c") == [("USE CATALOG c", 1)]
    spark.sql("CREATE TABLE IF NOT EXISTS catalog AS SELECT 'a@v1' AS volume")
    assert spark.sql("SELECT volume FROM catalog") == [("a@v1",)]
    assert spark.sql("DESCRIBE catalog") == [("volume", "string", None)]
    spark.sql("DROP TABLE catalog")


def test_a_folder_is_a_catalog_at_once_in_open_sessions(spark: SparkProcess, lake: Lake) -> None:
    other = lake.spark()
    assert "c" not in other.call(lambda s: [c.name for c in s.catalog.listCatalogs()])
    (lake.path / "c" / "s").mkdir(parents=True)
    assert "c" in other.call(lambda s: [c.name for c in s.catalog.listCatalogs()])
    (lake.path / "d" / "s").mkdir(parents=True)
    other.call(lambda s: s.catalog.setCurrentCatalog("d"))
    assert other.call(lambda s: s.catalog.currentCatalog()) == "d"
    spark.call(lambda s: s.range(3).write.saveAsTable("c.s.t"))
    assert other.call(lambda s: s.table("c.s.t").count()) == 3
    assert {("c",), ("d",), ("main",)} <= set(spark.sql("SHOW CATALOGS"))
    spark.sql("DROP CATALOG d CASCADE")
    assert "d" not in other.call(lambda s: [c.name for c in s.catalog.listCatalogs()])
    with pytest.raises(SparkFailure, match="There is no catalog"):
        other.sql("USE CATALOG d")
    other.end()


def test_names_of_one_and_two_parts_mean_the_default_catalog(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE SCHEMA IF NOT EXISTS silver")
    spark.call(lambda s: s.range(2).write.mode("overwrite").saveAsTable("one_part"))
    spark.call(lambda s: s.range(2).write.mode("overwrite").saveAsTable("silver.two_parts"))
    assert (lake.path / "main" / "default" / "one_part").is_dir()
    assert (lake.path / "main" / "silver" / "two_parts").is_dir()
    assert spark.sql("SELECT count(*) FROM main.silver.two_parts") == [(2,)]
    assert spark.sql("SELECT current_catalog(), current_schema()") == [("main", "default")]
    spark.sql("DROP TABLE one_part")
    spark.sql("DROP SCHEMA silver CASCADE")


def test_a_schema_that_is_named_like_a_catalog_wins_in_names_of_two_parts(spark: SparkProcess) -> None:
    spark.sql("CREATE CATALOG c")
    spark.sql("CREATE SCHEMA main.c")
    spark.sql("CREATE TABLE c.t AS SELECT 1 AS id")
    assert spark.sql("SELECT * FROM main.c.t") == [(1,)]
    spark.sql("USE c")
    assert spark.sql("SELECT current_catalog(), current_schema()") == [("main", "c")]
    spark.sql("USE main.default")
    spark.sql("DROP SCHEMA c CASCADE")
    assert spark.sql("SELECT current_catalog()") == [("main",)]
    assert ("c",) in spark.sql("SHOW CATALOGS")


@pytest.mark.parametrize("name", ["nowhere", "`no where`"])
def test_use_of_an_unknown_catalog_says_how_to_make_it(spark: SparkProcess, name: str) -> None:
    for text in (f"USE CATALOG {name}", f"CREATE SCHEMA {name}.s"):
        with pytest.raises(SparkFailure, match=f"There is no catalog {name.strip('`')}.*CREATE CATALOG makes it"):
            spark.sql(text)


GIVEN_FUNCTIONS = {
    "charindex('b', 'abcb')": 2,
    "charindex('b', 'abcb', 3)": 4,
    "charindex('x', 'abc')": 0,
    "iff(1 < 2, 'yes', 'no')": "yes",
    "IFF(NULL, 1, 2)": 2,
    "session_user() = current_user()": True,
    "getdate() = current_timestamp()": True,
    "typeof(getdate())": "timestamp",
    "is_member('users')": True,
    "is_member('Admins')": True,
    "is_member('finance')": False,
    "is_member(NULL)": None,
    "is_account_group_member('account users')": True,
    "is_account_group_member('finance')": False,
}
"""Functions of Databricks that Spark lacks, with the values that they have here."""


def test_functions_of_databricks_give_values(spark: SparkProcess) -> None:
    expressions = list(GIVEN_FUNCTIONS)
    found = spark.sql("SELECT " + ", ".join(expressions))[0]
    assert dict(zip(expressions, found, strict=True)) == GIVEN_FUNCTIONS


def test_functions_of_databricks_stand_in_permanent_views(spark: SparkProcess) -> None:
    spark.sql(
        "CREATE OR REPLACE VIEW main.default.guarded AS SELECT * FROM VALUES (1), (2) t(x) WHERE is_member('admins')"
    )
    assert spark.sql("SELECT count(*) FROM main.default.guarded") == [(2,)]
    spark.sql("DROP VIEW main.default.guarded")


def test_a_wrong_number_of_arguments_is_told(spark: SparkProcess) -> None:
    with pytest.raises(SparkFailure, match="The function iff takes 3 arguments, not 2"):
        spark.sql("SELECT iff(true, 1)")
    with pytest.raises(SparkFailure, match="The function charindex takes 2 to 3 arguments, not 1"):
        spark.sql("SELECT charindex('a')")


REFUSED_FUNCTIONS = {
    "h3_longlatash3(1, 2, 3)": "h3 by %pip",
    "st_buffer('x', 1)": "shapely by %pip",
    "ai_query('model', 'text')": "a model that Databricks serves",
    "AI_SUMMARIZE('text')": "a model that Databricks serves",
    "to_geometry('x')": "shapely by %pip",
    "secret('scope', 'key')": "dbutils.secrets.get",
    "try_secret('scope', 'key')": "dbutils.secrets.get",
    "current_metastore()": "no metastore",
    "current_version()": "version()",
    "schema_of_json_agg('{}')": "schema_of_json",
    "http_request('c', 'GET', '/')": "in a Python UDF",
    "* FROM ai_forecast('t')": "a model that Databricks serves",
    "* FROM vector_search(index => 'i', query => 'q')": "no index",
    "* FROM list_secrets()": "dbutils.secrets.get",
    "* FROM remote_query('c')": "jdbc",
    "* FROM read_kafka(bootstrapServers => 'h')": "kafka",
    "* FROM read_pubsub(topic => 't')": "not in open Spark",
    "* FROM cloud_files_state('t')": "form of its own",
}
"""Functions of Databricks that are refused, with what the sentence says."""


@pytest.mark.parametrize(("call", "sentence"), REFUSED_FUNCTIONS.items(), ids=str)
def test_functions_that_cannot_be_had_are_refused_by_name(spark: SparkProcess, call: str, sentence: str) -> None:
    name = call.removeprefix("* FROM ").partition("(")[0].lower()
    with pytest.raises(SparkFailure) as failure:
        spark.sql(f"SELECT {call}")
    told = advice_of(str(failure.value)) or str(failure.value)
    assert told.startswith(f"Databricks' function {name} does not work here: ")
    assert sentence in told


def test_a_function_that_nobody_knows_is_left_to_spark(spark: SparkProcess) -> None:
    with pytest.raises(SparkFailure, match="UNRESOLVED_ROUTINE") as failure:
        spark.sql("SELECT no_such_function(1)")
    assert advice_of(str(failure.value)) is None


def test_a_function_of_the_user_may_have_the_name_of_one_that_is_refused(spark: SparkProcess) -> None:
    spark.sql("CREATE TEMPORARY FUNCTION st_buffer(x STRING) RETURNS STRING RETURN x || '!'")
    assert spark.sql("SELECT st_buffer('x')") == [("x!",)]
    spark.sql("DROP TEMPORARY FUNCTION st_buffer")
