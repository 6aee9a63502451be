package medallion.files;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.Serializable;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.json.JSONOptions;
import org.apache.spark.sql.catalyst.json.JacksonParser;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.json.JsonDataSource;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function1;
import scala.Function2;
import scala.collection.Iterable;
import scala.collection.Iterator;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** Reads one file, or a part of one, for {@link NamedJson}. Runs in executors. */
final class NamedJsonReader extends AbstractFunction1<PartitionedFile, Iterator<InternalRow>> implements Serializable {
  private static final long serialVersionUID = 1;

  private final JSONOptions options;
  private final StructType known;
  private final StructType required;
  private final String unknown;
  private final SerializableConfiguration conf;

  NamedJsonReader(JSONOptions options, StructType known, StructType required, String unknown,
      SerializableConfiguration conf) {
    this.options = options;
    this.known = known;
    this.required = required;
    this.unknown = unknown;
    this.conf = conf;
  }

  @Override
  public Iterator<InternalRow> apply(PartitionedFile file) {
    StructType schema = new StructType();
    for (StructField field : required.fields()) {
      schema = field.name().equals(options.columnNameOfCorruptRecord()) ? schema : schema.add(field);
    }
    int position = List.of(schema.fieldNames()).indexOf(unknown);
    Set<String> names = new HashSet<>(List.of(known.fieldNames()));
    JacksonParser parser = position < 0 ? new JacksonParser(schema, options, true, noFilters())
        : new Parser(schema, options, position, names);
    return JsonDataSource.apply(options).readFile(conf.value(), file, parser, required);
  }

  private static <T> Seq<T> noFilters() {
    return CollectionConverters.asScala(List.<T>of()).toSeq();
  }

  /** Spark's parser with an ear on what it skips. */
  private static final class Parser extends JacksonParser {
    private static final long serialVersionUID = 1;
    private final int position;
    private final Set<String> known;

    Parser(StructType schema, JSONOptions options, int position, Set<String> known) {
      super(schema, options, true, noFilters());
      this.position = position;
      this.known = known;
    }

    @Override
    public <T> Iterable<InternalRow> parse(T text, Function2<JsonFactory, T, JsonParser> open,
        Function1<T, UTF8String> literal) {
      SkippedMembers[] listener = new SkippedMembers[1];
      Iterable<InternalRow> rows = super.parse(text, (factory, record) -> {
        listener[0] = new SkippedMembers(open.apply(factory, record), known);
        return listener[0];
      }, literal);
      if (listener[0] != null && listener[0].any()) {
        int index = 0;
        Iterator<InternalRow> each = rows.iterator();
        while (each.hasNext()) {
          String skipped = listener[0].of(index++);
          InternalRow row = each.next();
          if (skipped != null) {
            row.update(position, UTF8String.fromString(skipped));
          }
        }
      }
      return rows;
    }
  }
}
