package medallion.files;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.json.JSONOptions;
import org.apache.spark.sql.execution.datasources.FileFormat$;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.types.StructType;

/** A record that Spark could not read whole: a value of another type, or no JSON object at all. */
final class OddRecord {
  private static final JsonFactory JSON = new JsonFactory();

  private final String text;
  private final Map<String, String> members; // JSON by name, without nulls; null when the record is no object

  private OddRecord(String text, Map<String, String> members) {
    this.text = text;
    this.members = members;
  }

  /** Looks at a record's text once more. */
  static OddRecord of(String text, JSONOptions options) {
    Map<String, String> members = new LinkedHashMap<>();
    try (JsonParser json = options.buildJsonFactory().createParser(text)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        return new OddRecord(text, null);
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        if (json.nextToken() == JsonToken.VALUE_NULL) {
          continue;
        }
        StringWriter value = new StringWriter();
        try (JsonGenerator copy = JSON.createGenerator(value)) {
          copy.copyCurrentStructure(json);
        }
        members.put(name, value.toString());
      }
      return new OddRecord(text, members);
    } catch (IOException error) {
      return new OddRecord(text, null); // broken is what this class tells of
    }
  }

  boolean broken() {
    return members == null;
  }

  Set<String> names() {
    return broken() ? Set.of() : members.keySet();
  }

  /** What of the record is in no column of the row, as a JSON object; null when all is. */
  String rescued(InternalRow row, StructType schema, int without, PartitionedFile file) {
    if (broken()) {
      return withPath("{" + quoted("_corrupt_record") + ":" + quoted(text) + "}", file);
    }
    Map<String, String> rest = new LinkedHashMap<>(members);
    for (int i = 0; i < schema.length(); i++) {
      if (i != without && !row.isNullAt(i)) {
        rest.remove(schema.fields()[i].name());
      }
    }
    StringBuilder made = new StringBuilder();
    rest.forEach((name, value) -> made.append(made.isEmpty() ? '{' : ',').append(quoted(name)).append(':').append(value));
    return made.isEmpty() ? null : withPath(made.append('}').toString(), file);
  }

  /** A JSON object and, as its last member, the path of the file. */
  static String withPath(String object, PartitionedFile file) {
    Object path = FileFormat$.MODULE$.BASE_METADATA_EXTRACTORS().apply(FileFormat$.MODULE$.FILE_PATH()).apply(file);
    return object.substring(0, object.length() - 1) + "," + quoted("_file_path") + ":" + quoted(path.toString()) + "}";
  }

  private static String quoted(String text) {
    StringWriter made = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(made)) {
      json.writeString(text);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return made.toString();
  }
}
