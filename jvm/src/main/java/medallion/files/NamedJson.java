package medallion.files;

import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.json.JSONOptions;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.json.JsonFileFormat;
import org.apache.spark.sql.sources.Filter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.immutable.Map;
import scala.collection.immutable.Seq;

/**
 * Spark's JSON files, and besides: a column named by the option {@value NamedCsv#UNKNOWN} gets what a record has and no
 * column holds, as a JSON object with the file's path. Records with nothing odd are parsed once and cost nothing more.
 *
 * <p>The option {@value #FAIL} makes a member that the schema lacks in any spelling an error, which says whether a retry helps:
 * true or false. The names of the option {@value #FOLDERS}, a line each, are columns too.
 */
public final class NamedJson extends JsonFileFormat {
  static final String FAIL = "medallion.fail";
  static final String FOLDERS = "medallion.folders";

  @Override
  public String shortName() {
    return "medallion_json";
  }

  @Override
  public Function1<PartitionedFile, Iterator<InternalRow>> buildReader(SparkSession session, StructType dataSchema,
      StructType partitionSchema, StructType requiredSchema, Seq<Filter> filters, Map<String, String> options,
      Configuration hadoopConf) {
    String zone = session.conf().get("spark.sql.session.timeZone");
    JSONOptions json = new JSONOptions(options, zone, session.conf().get("spark.sql.columnNameOfCorruptRecord"));
    String rescued = options.getOrElse(NamedCsv.UNKNOWN, () -> "");
    String folders = options.getOrElse(FOLDERS, () -> "");
    UnknownFields unknown = UnknownFields.of(dataSchema, List.of(folders.split("\n")), options.getOrElse(FAIL, () -> ""));
    return new NamedJsonReader(json, dataSchema, requiredSchema, rescued, unknown, new SerializableConfiguration(hadoopConf));
  }
}
