package medallion.files;

import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.csv.CSVOptions;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.csv.CSVFileFormat;
import org.apache.spark.sql.sources.Filter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.immutable.Map;
import scala.collection.immutable.Seq;

/**
 * CSV whose columns are found by each file's own header. Spark's takes one order of columns for all files.
 *
 * <p>All columns of the asked-for schema are text. Those that a file lacks are null. A column named by the option
 * {@value #UNKNOWN} gets the values of the columns that the schema lacks, as a JSON object.
 */
public final class NamedCsv extends CSVFileFormat {
  static final String UNKNOWN = "medallion.unknown";

  @Override
  public String shortName() {
    return "medallion_csv";
  }

  @Override
  public Function1<PartitionedFile, Iterator<InternalRow>> buildReader(SparkSession session, StructType dataSchema,
      StructType partitionSchema, StructType requiredSchema, Seq<Filter> filters, Map<String, String> options,
      Configuration hadoopConf) {
    return new NamedCsvReader(csvOptions(session, options), dataSchema, requiredSchema,
        options.getOrElse(UNKNOWN, () -> ""), new SerializableConfiguration(hadoopConf));
  }

  /** Columns are never pruned: the number of values in a line must be its header's. */
  static CSVOptions csvOptions(SparkSession session, Map<String, String> options) {
    String zone = session.conf().get("spark.sql.session.timeZone");
    return new CSVOptions(options, false, zone, session.conf().get("spark.sql.columnNameOfCorruptRecord"));
  }
}
