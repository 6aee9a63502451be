package medallion.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * Tables whose data lies where the user said: {@code <schema>/<table>.table.json} holds format, location and, for other
 * formats than Delta, columns, partition columns and options. Dropping such a table removes this file only.
 */
final class ExternalTables {
  static final String SUFFIX = ".table.json";

  private static final Set<String> RESERVED = Set.of(TableCatalog.PROP_LOCATION, TableCatalog.PROP_PROVIDER,
      TableCatalog.PROP_EXTERNAL, TableCatalog.PROP_OWNER, TableCatalog.PROP_COMMENT,
      TableCatalog.PROP_IS_MANAGED_LOCATION, TableCatalog.PROP_TABLE_TYPE, "path");

  private ExternalTables() {}

  /**
   * What the file says of one external table.
   *
   * @param provider the format's name, lower case
   * @param columns empty for Delta, which keeps them in its log
   */
  record Definition(String provider, String location, StructType columns, List<String> partitions,
      Map<String, String> options, Map<String, String> properties, String comment) {
    boolean isDelta() {
      return provider.equals("delta");
    }

    Path path() {
      return new Path(location);
    }
  }

  /** The definition at that place, or null. */
  static Definition find(Place place) {
    JsonNode file = place.lake().read(place.externalFile());
    return file == null ? null : parse(file);
  }

  static boolean exists(Place place) {
    return place.lake().status(place.externalFile()) != null;
  }

  /** Writes a definition; false when there is one and it may not be replaced. */
  static boolean write(Place place, Definition definition, boolean replace) {
    ObjectNode file = Lake.json().createObjectNode();
    file.put("provider", definition.provider());
    file.put("location", definition.location());
    file.put("comment", definition.comment());
    file.put("columns", definition.columns().json());
    file.set("partitions", Lake.json().valueToTree(definition.partitions()));
    file.set("options", Lake.json().valueToTree(definition.options()));
    file.set("properties", Lake.json().valueToTree(definition.properties()));
    return place.lake().write(place.externalFile(), file, replace);
  }

  private static Definition parse(JsonNode file) {
    List<String> partitions = new ArrayList<>();
    file.get("partitions").forEach(item -> partitions.add(item.asText()));
    JsonNode comment = file.get("comment");
    return new Definition(file.get("provider").asText(), file.get("location").asText(),
        (StructType) DataType.fromJson(file.get("columns").asText()), partitions, Views.map(file.get("options")),
        Views.map(file.get("properties")), comment == null || comment.isNull() ? null : comment.asText());
  }

  /** The format that CREATE TABLE asks for; Delta when it names none. */
  static String provider(Map<String, String> properties) {
    return properties.getOrDefault(TableCatalog.PROP_PROVIDER, "delta").toLowerCase(Locale.ROOT);
  }

  /**
   * The definition that a CREATE TABLE with a location asks for.
   *
   * @throws Problem (unchecked) when the location is relative or overlaps the lake
   */
  static Definition wanted(SparkSession session, Place place, StructType columns, Transform[] partitions,
      Map<String, String> properties) {
    Path path = new Path(properties.get(TableCatalog.PROP_LOCATION));
    if (!path.isAbsolute()) {
      throw Problem.raise("The location of " + place + " must be an absolute path or a URI: " + path);
    }
    if (place.lake().overlaps(path)) {
      throw Problem.raise("The location of " + place + " lies in the lake, where managed tables are: " + path
          + "; leave LOCATION out, or use a folder outside " + place.lake().root());
    }
    String provider = provider(properties);
    if (provider.equals("delta")) {
      return new Definition(provider, path.toString(), new StructType(), List.of(), Map.of(), Map.of(), null);
    }
    Map<String, String> options = new HashMap<>();
    Map<String, String> others = new HashMap<>();
    properties.forEach((key, value) -> {
      if (key.startsWith(TableCatalog.OPTION_PREFIX)) {
        options.put(key.substring(TableCatalog.OPTION_PREFIX.length()), value);
      } else if (!RESERVED.contains(key)) {
        others.put(key, value);
      }
    });
    options.keySet().forEach(others::remove); // Spark hands over each option with and without the prefix
    StructType schema = columns.isEmpty() ? infer(session, provider, path, options) : columns;
    return new Definition(provider, path.toString(), schema, names(partitions), options, others,
        properties.get(TableCatalog.PROP_COMMENT));
  }

  private static StructType infer(SparkSession session, String provider, Path path, Map<String, String> options) {
    return session.read().format(provider).options(options).load(path.toString()).schema();
  }

  private static List<String> names(Transform[] partitions) {
    List<String> names = new ArrayList<>();
    for (Transform transform : partitions) {
      if (!transform.name().equals("identity")) {
        throw Problem.raise("A table of this format can be partitioned by columns only, not by " + transform);
      }
      names.add(transform.references()[0].fieldNames()[0]);
    }
    return names;
  }
}
