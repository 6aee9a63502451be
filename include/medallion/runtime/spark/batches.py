"""`foreachBatch`: the session of a batch and the errors of the user's function. Runs in the task process.

Spark gives each query a clone of the session. The clone forgets which catalog and schema USE has chosen. An error goes to
the JVM, whose log all tasks share.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from medallion.runtime.masks import Masks


def install_place() -> None:
    """Let the session of a query's batches begin in the catalog and schema of the session that defined it."""
    from pyspark.sql.utils import ForeachBatchFunction

    make, run = ForeachBatchFunction.__init__, ForeachBatchFunction.call
    places: WeakKeyDictionary[ForeachBatchFunction, tuple[str, str]] = WeakKeyDictionary()

    def init(self: ForeachBatchFunction, session: Any, func: Any) -> None:
        make(self, session, func)
        places[self] = session.catalog.currentCatalog(), session.catalog.currentDatabase()

    def call(self: ForeachBatchFunction, jdf: Any, batch_id: int) -> None:
        # Once for each query: what the function itself chooses by USE stays for its next batches.
        if (place := places.pop(self, None)) is not None:
            catalog = jdf.sparkSession().catalog()
            catalog.setCurrentCatalog(place[0])
            catalog.setCurrentDatabase(place[1])
        run(self, jdf, batch_id)

    ForeachBatchFunction.__init__ = init  # type: ignore[method-assign]
    ForeachBatchFunction.call = call  # type: ignore[method-assign]


def install_masks(masks: Masks) -> None:
    """Mask what such an error says before Spark hands it on. The masks may learn of secrets later."""
    from pyspark.sql.utils import ForeachBatchFunction

    run = ForeachBatchFunction.call

    def call(self: ForeachBatchFunction, jdf: Any, batch_id: int) -> None:
        try:
            run(self, jdf, batch_id)
        except Exception as error:
            masked = mask_error(error, masks)
            self.error = masked  # Spark raises it again in the task
            if masked is error:
                raise
            raise masked from None

    ForeachBatchFunction.call = call  # type: ignore[method-assign]


def mask_error(error: Exception, masks: Masks) -> Exception:
    """The error without secrets, and so those that it came from. One whose text is not its arguments' is replaced."""
    for each in chain(error):
        each.args = tuple(masks.document(list(each.args)))
        if each is not error and masks.apply(str(each)) != str(each):
            error.__cause__ = error.__context__ = None
    text = str(error)
    return error if masks.apply(text) == text else RuntimeError(f"{type(error).__name__}: {masks.apply(text)}")


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it came from."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
