package medallion.files;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.format.converter.ParquetMetadataConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.schema.Type;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat;
import org.apache.spark.sql.sources.Filter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.immutable.Map;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractFunction1;

/** Spark's Parquet files; one with a column that the schema lacks is an error that names the column. */
public final class NamedParquet extends ParquetFileFormat {
  @Override
  public String shortName() {
    return "medallion_parquet";
  }

  @Override
  public Function1<PartitionedFile, Iterator<InternalRow>> buildReaderWithPartitionValues(SparkSession session,
      StructType dataSchema, StructType partitionSchema, StructType requiredSchema, Seq<Filter> filters,
      Map<String, String> options, Configuration hadoopConf) {
    UnknownFields known = UnknownFields.of(dataSchema, List.of(partitionSchema.fieldNames()),
        options.getOrElse(NamedJson.FAIL, () -> "true"));
    return new Checked(super.buildReaderWithPartitionValues(session, dataSchema, partitionSchema, requiredSchema, filters,
        options, hadoopConf), known, new SerializableConfiguration(hadoopConf));
  }

  /** Looks at a file's columns before it is read. Runs in executors. */
  private static final class Checked extends AbstractFunction1<PartitionedFile, Iterator<InternalRow>>
      implements Serializable {
    private static final long serialVersionUID = 1;
    private final Function1<PartitionedFile, Iterator<InternalRow>> reader;
    private final UnknownFields known;
    private final SerializableConfiguration conf;

    Checked(Function1<PartitionedFile, Iterator<InternalRow>> reader, UnknownFields known, SerializableConfiguration conf) {
      this.reader = reader;
      this.known = known;
      this.conf = conf;
    }

    @Override
    public Iterator<InternalRow> apply(PartitionedFile file) {
      known.check(fields(file.toPath()).stream().map(Type::getName).toList(), "NEW_FIELDS_IN_FILE", file);
      return reader.apply(file);
    }

    @SuppressWarnings("deprecation")
    private List<Type> fields(Path file) {
      try {
        return ParquetFileReader.readFooter(conf.value(), file, ParquetMetadataConverter.SKIP_ROW_GROUPS).getFileMetaData()
            .getSchema().getFields();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }
}
