"""User-defined functions as Databricks' runtimes take them. Runs in the task process; put in place by `install`."""

from __future__ import annotations

from inspect import signature
from typing import Any


def install() -> None:
    """Keep `udf` from taking a function without arguments of its own for an aggregate of pandas.

    Spark 4.2 guesses the kind of a function from its hints. It counts the `self` of a bound method, or what a partial
    has filled in, finds no argument without a hint of pandas, and guesses an aggregate: one row in place of many.
    """
    from pyspark.sql.pandas import typehints

    guess: Any = typehints.infer_eval_type_for_udf

    def infer(f: Any) -> Any:
        try:
            return guess(f) if signature(f).parameters else None
        except TypeError:  # a partial or another callable whose hints cannot be read
            return None

    if not hasattr(guess, "medallion_guess"):
        infer.medallion_guess = guess  # type: ignore[attr-defined]
        typehints.infer_eval_type_for_udf = infer
