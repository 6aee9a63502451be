package medallion.files;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.Serializable;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.json.JSONOptions;
import org.apache.spark.sql.catalyst.json.JacksonParser;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.json.JsonDataSource;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.SerializableConfiguration;
import scala.Function1;
import scala.Function2;
import scala.collection.AbstractIterator;
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
  private final String rescued;
  private final UnknownFields unknown;
  private final SerializableConfiguration conf;

  NamedJsonReader(JSONOptions options, StructType known, StructType required, String rescued, UnknownFields unknown,
      SerializableConfiguration conf) {
    this.options = options;
    this.known = known;
    this.required = required;
    this.rescued = rescued;
    this.unknown = unknown;
    this.conf = conf;
  }

  @Override
  public Iterator<InternalRow> apply(PartitionedFile file) {
    String raw = options.columnNameOfCorruptRecord();
    List<String> wanted = List.of(required.fieldNames());
    boolean watches = wanted.contains(rescued) || unknown.refused();
    // A value of another type is seen only in a column that is read.
    StructType inside = without(wanted.contains(rescued) ? known : required, raw);
    if (!watches && !wanted.contains(raw)) {
      JacksonParser plain = new JacksonParser(inside, options, true, noFilters());
      return JsonDataSource.apply(options).readFile(conf.value(), file, plain, required);
    }
    StructType all = inside.add(raw, DataTypes.StringType);
    JacksonParser parser = watches ? new Parser(inside, file) : new JacksonParser(inside, options, true, noFilters());
    Iterator<InternalRow> rows = JsonDataSource.apply(options).readFile(conf.value(), file, parser, all);
    rows = rescuing(rows, all, file);
    return begins(all, required) ? rows : arranged(rows, all);
  }

  /** Whether the first columns are the asked-for ones. Spark takes a row's columns by place and heeds no further ones. */
  private static boolean begins(StructType all, StructType asked) {
    return List.of(all.fields()).subList(0, Math.min(asked.length(), all.length())).equals(List.of(asked.fields()));
  }

  private static StructType without(StructType schema, String name) {
    StructType made = new StructType();
    for (StructField field : schema.fields()) {
      made = field.name().equals(name) ? made : made.add(field);
    }
    return made;
  }

  private static <T> Seq<T> noFilters() {
    return CollectionConverters.asScala(List.<T>of()).toSeq();
  }

  /** The rows, with what is odd of those that Spark could not read whole. */
  private Iterator<InternalRow> rescuing(Iterator<InternalRow> rows, StructType all, PartitionedFile file) {
    int raw = all.length() - 1;
    int place = List.of(all.fieldNames()).indexOf(rescued);
    return new AbstractIterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public InternalRow next() {
        InternalRow row = rows.next();
        if (!row.isNullAt(raw)) {
          OddRecord record = OddRecord.of(row.getUTF8String(raw).toString(), options);
          unknown.check(record.names(), "NEW_FIELDS_IN_RECORD_WITH_FILE_PATH", file);
          if (place >= 0) {
            row.update(place, UTF8String.fromString(record.rescued(row, all, place, file)));
          }
          if (!record.broken()) {
            row.update(raw, null);
          }
        }
        return row;
      }
    };
  }

  /** The rows with the asked-for columns in their order. */
  private Iterator<InternalRow> arranged(Iterator<InternalRow> rows, StructType all) {
    int[] from = new int[required.length()];
    for (int i = 0; i < from.length; i++) {
      from[i] = List.of(all.fieldNames()).indexOf(required.fields()[i].name());
    }
    return new AbstractIterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public InternalRow next() {
        InternalRow row = rows.next();
        Object[] values = new Object[from.length];
        for (int i = 0; i < from.length; i++) {
          values[i] = row.get(from[i], required.fields()[i].dataType());
        }
        return new GenericInternalRow(values);
      }
    };
  }

  /** Spark's parser with an ear on what it skips. */
  private final class Parser extends JacksonParser {
    private static final long serialVersionUID = 1;
    private final int position;
    private final Set<String> names = new HashSet<>(List.of(known.fieldNames()));
    private final PartitionedFile file;

    Parser(StructType schema, PartitionedFile file) {
      super(schema, NamedJsonReader.this.options, true, noFilters());
      this.position = List.of(schema.fieldNames()).indexOf(rescued);
      this.file = file;
    }

    @Override
    public <T> Iterable<InternalRow> parse(T text, Function2<JsonFactory, T, JsonParser> open,
        Function1<T, UTF8String> literal) {
      SkippedMembers[] listener = new SkippedMembers[1];
      Iterable<InternalRow> rows = super.parse(text, (factory, record) -> {
        listener[0] = new SkippedMembers(open.apply(factory, record), names);
        return listener[0];
      }, literal);
      if (listener[0] != null && listener[0].any()) {
        keep(rows.iterator(), listener[0]);
      }
      return rows;
    }

    private void keep(Iterator<InternalRow> rows, SkippedMembers skipped) {
      unknown.check(skipped.names(), "NEW_FIELDS_IN_RECORD_WITH_FILE_PATH", file);
      for (int index = 0; position >= 0 && rows.hasNext(); index++) {
        InternalRow row = rows.next();
        String members = skipped.of(index);
        if (members != null) {
          row.update(position, UTF8String.fromString(OddRecord.withPath(members, file)));
        }
      }
    }
  }
}
