package medallion.files;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.Serializable;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.csv.CSVHeaderChecker;
import org.apache.spark.sql.catalyst.csv.CSVOptions;
import org.apache.spark.sql.catalyst.csv.UnivocityParser;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.csv.CSVDataSource;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import scala.collection.AbstractIterator;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction1;

/** Reads one file, or a part of one, for {@link NamedCsv}. Runs in executors. */
final class NamedCsvReader extends AbstractFunction1<PartitionedFile, Iterator<InternalRow>> implements Serializable {
  private static final long serialVersionUID = 1;
  private static final JsonFactory JSON = new JsonFactory();

  private final CSVOptions options;
  private final StructType known;
  private final StructType required;
  private final String unknown;
  private final SerializableConfiguration conf;

  NamedCsvReader(CSVOptions options, StructType known, StructType required, String unknown,
      SerializableConfiguration conf) {
    this.options = options;
    this.known = known;
    this.required = required;
    this.unknown = unknown;
    this.conf = conf;
  }

  @Override
  public Iterator<InternalRow> apply(PartitionedFile file) {
    Configuration hadoop = conf.value();
    String[] names = header(file.toPath(), hadoop);
    if (names.length == 0) {
      return scala.collection.Iterator$.MODULE$.empty();
    }
    StructType schema = new StructType();
    for (String name : names) {
      schema = schema.add(name, DataTypes.StringType);
    }
    String corrupt = options.columnNameOfCorruptRecord();
    StructType withCorrupt = Arrays.asList(names).contains(corrupt) ? schema : schema.add(corrupt, DataTypes.StringType);
    UnivocityParser parser = new UnivocityParser(schema, schema, options);
    CSVHeaderChecker checker = new CSVHeaderChecker(schema, options, "CSV file: " + file.urlEncodedPath(), file.start() == 0);
    return rows(CSVDataSource.apply(options).readFile(hadoop, file, parser, checker, withCorrupt), withCorrupt.fieldNames());
  }

  private String[] header(Path file, Configuration hadoop) {
    try {
      return Headers.of(file, options, hadoop);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private Iterator<InternalRow> rows(Iterator<InternalRow> parsed, String[] names) {
    List<String> wanted = Arrays.asList(required.fieldNames());
    List<String> all = Arrays.asList(known.fieldNames());
    int[] target = new int[names.length]; // where a value goes; -1 nowhere, -2 to the unknown ones
    for (int i = 0; i < names.length; i++) {
      int position = wanted.indexOf(names[i]);
      target[i] = position >= 0 ? position : all.contains(names[i]) ? -1 : -2;
    }
    int rest = wanted.indexOf(unknown);
    return new AbstractIterator<>() {
      @Override
      public boolean hasNext() {
        return parsed.hasNext();
      }

      @Override
      public InternalRow next() {
        InternalRow row = parsed.next();
        Object[] values = new Object[wanted.size()];
        boolean more = false;
        for (int i = 0; i < names.length; i++) {
          if (target[i] >= 0) {
            values[target[i]] = row.isNullAt(i) ? null : row.getUTF8String(i);
          } else if (target[i] == -2 && !row.isNullAt(i)) {
            more = true;
          }
        }
        if (more && rest >= 0) {
          values[rest] = UTF8String.fromString(unknownValues(row, names, target));
        }
        return new GenericInternalRow(values);
      }
    };
  }

  /** The values that have no column, as a JSON object. */
  private static String unknownValues(InternalRow row, String[] names, int[] target) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeStartObject();
      for (int i = 0; i < names.length; i++) {
        if (target[i] == -2 && !row.isNullAt(i)) {
          json.writeStringField(names[i], row.getUTF8String(i).toString());
        }
      }
      json.writeEndObject();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return text.toString();
  }
}
