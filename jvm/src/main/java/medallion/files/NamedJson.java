package medallion.files;

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
 * Spark's JSON files, and besides: a column named by the option {@value NamedCsv#UNKNOWN} gets the members that the schema
 * lacks, as a JSON object. They are found while Spark parses; nothing is parsed twice.
 */
public final class NamedJson extends JsonFileFormat {
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
    return new NamedJsonReader(json, dataSchema, requiredSchema, options.getOrElse(NamedCsv.UNKNOWN, () -> ""),
        new SerializableConfiguration(hadoopConf));
  }
}
