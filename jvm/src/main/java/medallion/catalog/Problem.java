package medallion.catalog;

import org.apache.spark.QueryContext;
import org.apache.spark.sql.AnalysisException;

/** What a user did wrong, in plain words. Python sees it as pyspark's AnalysisException. */
public final class Problem extends AnalysisException {
  private static final long serialVersionUID = 1L;

  public Problem(String message) {
    super(message, Scala.none(), Scala.none(), Scala.none(), Scala.none(), Scala.map(java.util.Map.of()),
        new QueryContext[0]);
  }

  /** Throws a Problem where the interface allows no checked exception. */
  public static RuntimeException raise(String message) {
    return sneak(new Problem(message));
  }

  /** Throws a Problem on what only a task's own Python session can do. */
  public static RuntimeException onlyInTasks(String what) {
    return raise(what + " does not work in JARs and over Spark Connect. It works in notebooks, Python files and pipelines: "
        + "load the files by such a task before, or read them by Spark's own spark.readStream.format(...).schema(...)");
  }

  /** Throws any exception unchecked: Spark's own interfaces throw checked ones without declaring them (Scala). */
  @SuppressWarnings("unchecked")
  static <E extends Throwable> RuntimeException sneak(Throwable error) throws E {
    throw (E) error;
  }
}
