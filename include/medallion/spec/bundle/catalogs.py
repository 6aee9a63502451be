"""Names of catalogs and schemas that the bundle defines itself become references to them. Runs at parse; pure.

Databricks' CLI does it so that what is referred to is made first, and its output shows the references.
"""

from __future__ import annotations

from collections.abc import Mapping

from medallion.spec.bundle.tree import ANY, EMPTY, Node, matches, put, with_value
from medallion.spec.positions import JsonPath

IN_SCHEMAS = ("volumes", "secrets", "registered_models")
ENDPOINT = ("resources", "model_serving_endpoints", ANY)
GATEWAYS: tuple[JsonPath, ...] = (
    (*ENDPOINT, "ai_gateway", "inference_table_config"),
    (*ENDPOINT, "config", "auto_capture_config"),
)


def refer_to_catalogs(tree: Node) -> Node:
    """The tree with references to the bundle's own catalogs and schemas."""
    catalogs = {node.text("name"): key for key, node in named(tree, "catalogs")}
    schemas = {(node.text("catalog_name"), node.text("name")): key for key, node in named(tree, "schemas")}
    places: list[tuple[str, str, tuple[str, ...]]] = [(kind, "catalog_name", ("schema_name",)) for kind in IN_SCHEMAS]
    places += [("pipelines", "catalog", ("schema", "target")), ("schemas", "catalog_name", ())]
    tree = refer_in_tables(tree, catalogs, schemas)
    for kind, catalog_field, schema_fields in places:
        for key, node in named(tree, kind):
            catalog = node.text(catalog_field)
            found = {field: schemas.get((catalog, node.text(field))) for field in schema_fields if node.text(field)}
            changes = {field: f"${{resources.schemas.{schema}.name}}" for field, schema in found.items() if schema}
            if catalog and catalog in catalogs:
                changes[catalog_field] = f"${{resources.catalogs.{catalogs[catalog]}.name}}"
            for field, text in changes.items():
                tree = put(tree, ("resources", kind, key, field), with_value(node.get(field) or EMPTY, text))
    return tree


def refer_in_tables(tree: Node, catalogs: Mapping[str, str], schemas: Mapping[tuple[str, str], str]) -> Node:
    """The tree with references in the tables that endpoints and monitors write."""
    for at in GATEWAYS:
        for path, node in list(matches(tree, at)):
            fields = referred(node.text("catalog_name"), node.text("schema_name"), catalogs, schemas)
            for field, text in zip(("catalog_name", "schema_name"), fields, strict=True):
                if text != node.text(field):
                    tree = put(tree, (*path, field), with_value(node.get(field) or EMPTY, text))
    for key, node in named(tree, "quality_monitors"):
        catalog, dot, schema = node.text("output_schema_name").partition(".")
        text = ".".join(referred(catalog, schema, catalogs, schemas))
        if dot and text != node.text("output_schema_name"):
            at = ("resources", "quality_monitors", key, "output_schema_name")
            tree = put(tree, at, with_value(node.get("output_schema_name") or EMPTY, text))
    return tree


def referred(
    catalog: str, schema: str, catalogs: Mapping[str, str], schemas: Mapping[tuple[str, str], str]
) -> tuple[str, str]:
    """A catalog's and a schema's name, each as a reference when the bundle defines it."""
    key, owner = schemas.get((catalog, schema)), catalogs.get(catalog)
    return (
        f"${{resources.catalogs.{owner}.name}}" if owner and catalog else catalog,
        f"${{resources.schemas.{key}.name}}" if key and schema else schema,
    )


def named(tree: Node, kind: str) -> list[tuple[str, Node]]:
    """The resources of a kind, as far as they are objects."""
    return [(key, node) for key, node in (tree.at("resources", kind) or EMPTY).items() if node.kind == "map"]
