package medallion.files;

import medallion.catalog.Problem;
import org.apache.spark.sql.SQLContext;
import org.apache.spark.sql.execution.streaming.Source;
import org.apache.spark.sql.sources.BaseRelation;
import org.apache.spark.sql.sources.DataSourceRegister;
import org.apache.spark.sql.sources.RelationProvider;
import org.apache.spark.sql.sources.StreamSourceProvider;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.Tuple2;
import scala.collection.immutable.Map;

/**
 * The name {@value #NAME} where it cannot work. Auto Loader is put together in a task's Python session, before Spark sees the
 * name; what comes here came from a JAR or Spark Connect, or asks for a batch.
 */
public final class CloudFiles implements DataSourceRegister, StreamSourceProvider, RelationProvider {
  static final String NAME = "cloudFiles";

  @Override
  public String shortName() {
    return NAME;
  }

  @Override
  public Tuple2<String, StructType> sourceSchema(SQLContext context, Option<StructType> schema, String provider,
      Map<String, String> options) {
    throw Problem.onlyInTasks("Auto Loader (format " + NAME + ")");
  }

  @Override
  public Source createSource(SQLContext context, String log, Option<StructType> schema, String provider,
      Map<String, String> options) {
    throw Problem.onlyInTasks("Auto Loader (format " + NAME + ")");
  }

  @Override
  public BaseRelation createRelation(SQLContext context, Map<String, String> options) {
    throw Problem.raise("Auto Loader (format " + NAME + ") is a source of streams: use spark.readStream, or read_files in SQL");
  }
}
