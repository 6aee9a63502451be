"""Names of catalogs and schemas that the bundle defines itself become references to them. Runs at parse; pure.

Databricks' CLI does it so that what is referred to is made first, and its output shows the references.
"""

from __future__ import annotations

from medallion.spec.bundle.tree import EMPTY, Node, put, with_value

IN_SCHEMAS = ("volumes", "secrets", "registered_models")


def refer_to_catalogs(tree: Node) -> Node:
    """The tree with references to the bundle's own catalogs and schemas."""
    catalogs = {node.text("name"): key for key, node in named(tree, "catalogs")}
    schemas = {(node.text("catalog_name"), node.text("name")): key for key, node in named(tree, "schemas")}
    places: list[tuple[str, str, tuple[str, ...]]] = [(kind, "catalog_name", ("schema_name",)) for kind in IN_SCHEMAS]
    places += [("pipelines", "catalog", ("schema", "target")), ("schemas", "catalog_name", ())]
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


def named(tree: Node, kind: str) -> list[tuple[str, Node]]:
    """The resources of a kind, as far as they are objects."""
    return [(key, node) for key, node in (tree.at("resources", kind) or EMPTY).items() if node.kind == "map"]
