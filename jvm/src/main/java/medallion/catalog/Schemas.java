package medallion.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;

/** Schemas as folders. Comment and properties lie in a hidden JSON file in the folder. */
final class Schemas {
  private static final String FILE = ".schema.json";

  private Schemas() {}

  /** A schema by its catalog and name. */
  record Schema(Lake lake, String catalog, String name) {
    Path folder() {
      return lake.schema(catalog, name);
    }

    boolean exists() {
      return lake.hasSchema(catalog, name);
    }

    /** The place of a table or view of this schema. */
    Place place(String table) {
      return new Place(lake, catalog, Names.folder(name), Names.folder(table));
    }
  }

  static Map<String, String> metadata(Schema schema) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put(SupportsNamespaces.PROP_LOCATION, schema.folder().toString());
    metadata.putAll(properties(schema));
    return metadata;
  }

  private static Map<String, String> properties(Schema schema) {
    JsonNode file = schema.lake().read(new Path(schema.folder(), FILE));
    return file == null ? new LinkedHashMap<>() : Views.map(file);
  }

  /** Makes the folder; whether it was not there before. */
  static boolean create(Schema schema, Map<String, String> properties) {
    Map<String, String> kept = new LinkedHashMap<>(properties);
    kept.remove(SupportsNamespaces.PROP_LOCATION); // managed tables lie in the lake, whatever storage a schema names
    kept.remove(SupportsNamespaces.PROP_OWNER);
    return schema.lake().locks().schema(schema.catalog(), schema.name(), () -> {
      if (!schema.lake().hasCatalog(schema.catalog())) {
        throw Problem.raise("Catalog " + schema.catalog() + " does not exist: it was dropped meanwhile");
      }
      return !schema.lake().isFolder(schema.folder()) && schema.lake().make(schema.folder(), FILE, file(kept));
    });
  }

  /** Changes comment and properties; false when the schema was dropped meanwhile. */
  static boolean alter(Schema schema, NamespaceChange[] changes) {
    return schema.lake().locks().schema(schema.catalog(), schema.name(), () -> schema.exists() && altered(schema, changes));
  }

  private static boolean altered(Schema schema, NamespaceChange[] changes) {
    Map<String, String> properties = properties(schema);
    for (NamespaceChange change : changes) {
      if (change instanceof NamespaceChange.SetProperty set) {
        properties.put(set.property(), set.value());
      } else if (change instanceof NamespaceChange.RemoveProperty remove) {
        properties.remove(remove.property());
      }
    }
    return schema.lake().write(new Path(schema.folder(), FILE), file(properties), true);
  }

  private static ObjectNode file(Map<String, String> properties) {
    ObjectNode file = Lake.json().createObjectNode();
    properties.forEach(file::put);
    return file;
  }
}
