package medallion.catalog;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.SparkSessionExtensionsProvider;
import org.apache.spark.sql.classic.SparkSession;
import scala.runtime.BoxedUnit;

/**
 * The entry point for Spark conf {@code spark.sql.extensions}, named after Delta's: the last one sees a statement first.
 */
public final class Extensions implements SparkSessionExtensionsProvider {
  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    DatabricksFunctions.add();
    extensions.injectParser((session, parser) -> new StatementParser((SparkSession) session, parser));
    return BoxedUnit.UNIT;
  }
}
