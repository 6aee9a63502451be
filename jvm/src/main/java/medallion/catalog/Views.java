package medallion.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.View;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * Views as JSON files: {@code <schema>/<view>.view.json} holds the text of the query, the columns, and the catalog, schema
 * and settings that were current when the view was made.
 */
final class Views {
  static final String SUFFIX = ".view.json";

  private Views() {}

  /** The view at that place, or null. */
  static View find(Place place) {
    JsonNode file = place.lake().read(place.viewFile());
    return file == null ? null : parse(file);
  }

  static boolean exists(Place place) {
    return place.lake().status(place.viewFile()) != null;
  }

  /** Writes a view; false when there is one and it may not be replaced. */
  static boolean write(Place place, View view, boolean replace) {
    return place.lake().write(place.viewFile(), format(view), replace);
  }

  static ObjectNode format(View view) {
    ObjectNode file = Lake.json().createObjectNode();
    file.put("query", view.queryText());
    file.put("current_catalog", view.currentCatalog());
    file.set("current_namespace", strings(view.currentNamespace()));
    file.put("columns", CatalogV2Util.v2ColumnsToStructType(view.columns()).json());
    file.set("query_columns", strings(view.queryColumnNames()));
    file.put("schema_mode", view.schemaMode());
    file.set("configs", Lake.json().valueToTree(view.sqlConfigs()));
    file.set("properties", Lake.json().valueToTree(view.properties()));
    return file;
  }

  static View parse(JsonNode file) {
    StructType columns = (StructType) DataType.fromJson(file.get("columns").asText());
    View.Builder builder = new View.Builder().withQueryText(file.get("query").asText())
        .withCurrentCatalog(text(file, "current_catalog")).withCurrentNamespace(strings(file.get("current_namespace")))
        .withSqlConfigs(map(file.get("configs"))).withSchemaMode(text(file, "schema_mode"))
        .withQueryColumnNames(strings(file.get("query_columns")));
    builder.withProperties(map(file.get("properties")));
    builder.withSchema(columns);
    return builder.build();
  }

  private static String text(JsonNode file, String key) {
    JsonNode value = file.get(key);
    return value == null || value.isNull() ? null : value.asText();
  }

  private static ArrayNode strings(String[] values) {
    ArrayNode array = Lake.json().createArrayNode();
    for (String value : values == null ? new String[0] : values) {
      array.add(value);
    }
    return array;
  }

  private static String[] strings(JsonNode array) {
    String[] values = new String[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asText();
    }
    return values;
  }

  static Map<String, String> map(JsonNode object) {
    Map<String, String> values = new LinkedHashMap<>();
    object.fields().forEachRemaining(field -> values.put(field.getKey(), field.getValue().asText()));
    return values;
  }
}
