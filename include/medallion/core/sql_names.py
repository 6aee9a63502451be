"""Names of catalogs, schemas, tables and columns in SQL text. Runs everywhere; pure."""

from __future__ import annotations


def quoted(*parts: str) -> str:
    """A name in back-ticks, its parts joined by dots; a back-tick within is doubled, so the name ends nowhere else."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def unquoted_name(name: str) -> str:
    """One part of a name, as SQL text has it, without its back-ticks."""
    if len(name) > 1 and name[0] == name[-1] == "`":
        return name[1:-1].replace("``", "`")
    return name
