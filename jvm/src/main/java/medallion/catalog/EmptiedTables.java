package medallion.catalog;

import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.DataFrameWriter;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.IdentityTransform;
import org.apache.spark.sql.types.StructType;

/**
 * Tables that Spark's pipelines have emptied to fill them anew: materialized views, and all tables in a full refresh. The engine
 * then asks for the columns of the new query one by one, and Delta refuses to drop a column or to change its type.
 */
final class EmptiedTables {
  private static final StackWalker STACK = StackWalker.getInstance();
  private static final String ENGINE = "org.apache.spark.sql.pipelines.graph.DatasetManager";
  private static final int NEAR = 12;

  private EmptiedTables() {}

  /** Gives such a table its columns at once. The changes that are left to make; all of them when it is no such table. */
  static TableChange[] reshaped(SparkSession session, Path folder, Table table, TableChange[] changes) {
    List<TableChange> columns = Arrays.stream(changes).filter(TableChange.ColumnChange.class::isInstance).toList();
    if (columns.stream().allMatch(TableChange.AddColumn.class::isInstance) || !isAsked() || !isPlain(table)
        || !session.read().format("delta").load(folder.toString()).isEmpty()) {
      return changes;
    }
    @SuppressWarnings("deprecation") // Spark's pipelines compare by it too
    StructType before = table.schema();
    StructType after = CatalogV2Util.applySchemaChanges(before, Scala.seq(columns), Scala.some("delta"), "ALTER TABLE");
    DataFrameWriter<Row> writer = session.createDataFrame(List.<Row>of(), after).write().format("delta").mode("overwrite")
        .option("overwriteSchema", "true");
    writer.partitionBy(Arrays.stream(table.partitioning()).map(part -> part.references()[0].fieldNames()[0])
        .toArray(String[]::new)).save(folder.toString());
    return Arrays.stream(changes).filter(change -> !columns.contains(change)).toArray(TableChange[]::new);
  }

  private static boolean isAsked() {
    return STACK.walk(frames -> frames.limit(NEAR).anyMatch(frame -> frame.getClassName().startsWith(ENGINE)));
  }

  /** Whether the table has no layout that an overwrite would lose. */
  private static boolean isPlain(Table table) {
    return Arrays.stream(table.partitioning()).allMatch(IdentityTransform.class::isInstance);
  }
}
