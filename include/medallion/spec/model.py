"""What all models of the Jobs API share: frozen, unknown keys kept, enums that keep words they do not know. Pure.

Models are built at import as one schema (`defer_build`): only `Job` and `Task` compile a validator of their own.
"""

from __future__ import annotations

import warnings
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Strict

Int = Annotated[int, Strict()]
"""An integer. Pydantic would take true and "1" for one; check.py mends the text forms and refuses the rest."""

Bool = Annotated[bool, Strict()]
"""A boolean. Pydantic would take "yes" and 1 for one."""

Texts = tuple[str, ...]
Pairs = dict[str, str]
"""Parameters, tags and Spark settings: the Jobs API holds both sides as text."""


class Model(BaseModel):
    """An object of the Jobs API. Attributes are the API's names; a field that was not given stays unset."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=(), defer_build=True)

    def to_json(self) -> dict[str, Any]:
        """The object as it was given: unset fields stay away, unknown keys and explicit nulls stay."""
        return self.model_dump(mode="json", exclude_unset=True)


class Choice(StrEnum):
    """A word of the Jobs API. A word that is not in the list becomes a member of its own, with `is_known` false.

    So a job keeps what the user wrote, no misspelt word turns into a default, and check.py can say where it stands.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether the API lists the word."""
        return self._value_ in type(self)._value2member_map_


with warnings.catch_warnings():
    # The API's word wins over pydantic's old class method of the same name.
    warnings.filterwarnings("ignore", message='Field name "schema"')

    class SchemaField(Model):
        """An object with a field `schema`."""

        schema: str | None = None  # type: ignore[assignment]
