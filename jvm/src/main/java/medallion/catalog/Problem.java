package medallion.catalog;

import org.apache.spark.QueryContext;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.catalyst.trees.Origin;

/** What a user did wrong, in plain words. Python sees it as pyspark's AnalysisException. */
public final class Problem extends AnalysisException {
  private static final long serialVersionUID = 1L;

  public Problem(String message) {
    this(message, null);
  }

  private Problem(String message, Throwable cause) {
    super(message, Scala.none(), Scala.none(), Scala.some(cause), Scala.none(), Scala.map(java.util.Map.of()),
        new QueryContext[0]);
  }

  /** Spark's copy with a position would be of no class of errors, which pyspark cannot show. */
  @Override
  public AnalysisException withPosition(Origin origin) {
    return this;
  }

  /** Throws a Problem where the interface allows no checked exception. */
  public static RuntimeException raise(String message) {
    return sneak(new Problem(message));
  }

  /** Throws a Problem on files that cannot be read or written. */
  static RuntimeException ofFiles(java.io.IOException error) {
    throw sneak(new Problem("The files of the lake cannot be used: " + error.getMessage(), error));
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
