package medallion.catalog;

import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;

/** Where a table or view of the lake lies. All three parts are folder names: lower case, and checked. */
record Place(Lake lake, String catalog, String schema, String name) {
  /** Folder of the schema. */
  Path schemaFolder() {
    return lake.schema(catalog, schema);
  }

  /** While the name is held: an error when the schema is gone, which others drop while nobody holds names in it. */
  void schemaMustExist() throws NoSuchNamespaceException {
    if (!lake.hasCatalog(catalog) || !lake.hasSchema(catalog, schema)) {
      throw new NoSuchNamespaceException(new String[] {catalog, schema});
    }
  }

  /** Folder of the table's data, if it is a managed table. */
  Path folder() {
    return new Path(schemaFolder(), name);
  }

  /** File that defines the view, if it is one. */
  Path viewFile() {
    return new Path(schemaFolder(), name + Views.SUFFIX);
  }

  /** File that names the location of the external table, if it is one. */
  Path externalFile() {
    return new Path(schemaFolder(), name + ExternalTables.SUFFIX);
  }

  @Override
  public String toString() {
    return catalog + "." + schema + "." + name;
  }
}
