package medallion.catalog;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import medallion.catalog.Schemas.Schema;
import medallion.catalog.Tables.Wanted;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.NoSuchViewException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.ViewAlreadyExistsException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.FunctionCatalog;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.ProcedureCatalog;
import org.apache.spark.sql.connector.catalog.Relation;
import org.apache.spark.sql.connector.catalog.RelationCatalog;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.catalog.TableSummary;
import org.apache.spark.sql.connector.catalog.View;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.connector.catalog.procedures.UnboundProcedure;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog shaped like Unity Catalog's, on folders: {@code <lake>/<catalog>/<schema>/<table>/_delta_log}. There is no
 * server: several JVMs may share a lake. Delta's log decides between them on data, {@link NameLocks} on names.
 *
 * <p>This class turns names into places; {@link Tables}, {@link Views} and {@link Schemas} do the work there. The name
 * {@code delta.`/path`} goes to the session's DeltaCatalog, whatever the current catalog is.
 */
public final class FolderCatalog
    implements StagingTableCatalog, RelationCatalog, SupportsNamespaces, ProcedureCatalog, FunctionCatalog {
  private String name;

  @Override
  public void initialize(String name, CaseInsensitiveStringMap options) {
    this.name = Names.folder(name);
    lake();
    SessionCatalogs.install(session());
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String[] defaultNamespace() {
    return new String[] {Lake.DEFAULT_SCHEMA};
  }

  /** Generated, identity and default columns, and constraints: all that Spark knows. */
  @Override
  public Set<TableCatalogCapability> capabilities() {
    return Set.of(TableCatalogCapability.values());
  }

  private static SparkSession session() {
    return (SparkSession) SparkSession.active();
  }

  private static StagingTableCatalog delta() {
    return DeltaTables.delta(session());
  }

  private static Lake lake() {
    Lake lake = Lake.of(session());
    if (lake == null) {
      throw Problem.raise("Spark conf " + Lake.CONF + " is not set: it names the folder of the catalogs");
    }
    return lake;
  }

  // ---- names

  /**
   * The schema that a namespace means, or null when this catalog cannot hold it.
   *
   * <p>{@code a.b} is table b in schema a of the current catalog, also when there is a catalog a: Spark then asks catalog a
   * for b without a schema, and Databricks does not. So a name without a schema leads back to the current catalog.
   */
  private Schema schema(String[] namespace) {
    return switch (namespace.length) {
      case 0 -> new Schema(lake(), current(), name);
      case 1 -> new Schema(lake(), name, namespace[0]);
      default -> null;
    };
  }

  private static String current() {
    CatalogPlugin current = session().sessionState().catalogManager().currentCatalog();
    return current instanceof FolderCatalog folder ? folder.name() : lake().defaultCatalog();
  }

  private Schema existing(String[] namespace) throws NoSuchNamespaceException {
    Schema schema = schema(namespace);
    if (schema == null || !schema.exists()) {
      throw new NoSuchNamespaceException(namespace);
    }
    return schema;
  }

  /** The place that a name means; null when nothing of that name can be in this catalog. */
  private Place place(Identifier id) {
    Schema schema = isFile(id) ? null : schema(id.namespace());
    return schema == null ? null : schema.place(id.name());
  }

  /** The place of something new, in a schema that exists. */
  private Place placeForNew(Identifier id) throws NoSuchNamespaceException {
    return existing(id.namespace()).place(id.name());
  }

  private Place free(Identifier id) throws TableAlreadyExistsException, NoSuchNamespaceException {
    Place place = placeForNew(id);
    if (!Tables.isFree(place)) {
      throw new TableAlreadyExistsException(id);
    }
    return place;
  }

  /** Runs work that makes, renames or drops tables and views. */
  private static <T> T holding(NameLocks.Work<T> work, Place... places) {
    return places[0].lake().locks().names(work, places);
  }

  /** The place of a new name that may be written with the catalog before it, as RENAME TO hands it over. */
  private Place target(Identifier to) {
    String[] parts = to.namespace();
    if (parts.length == 2 && !parts[0].equalsIgnoreCase(name)) {
      throw Problem.raise("A table or view stays in its catalog " + name + ", it cannot be renamed to " + to);
    }
    String[] namespace = parts.length == 2 ? new String[] {parts[1]} : parts;
    Schema schema = schema(namespace);
    if (schema == null || !schema.exists()) {
      throw Problem.raise("There is no schema for the new name " + to);
    }
    return schema.place(to.name());
  }

  private static boolean isDeltaPath(Identifier id) {
    return id.namespace().length == 1 && id.namespace()[0].equalsIgnoreCase("delta")
        && new Path(id.name()).isAbsolute();
  }

  /** A name like parquet.`/path`: Spark reads the files once no table of that name was found. */
  private static boolean isFile(Identifier id) {
    return id.namespace().length == 1 && id.name().startsWith("/") || id.name().contains(":/");
  }

  // ---- looking

  @Override
  public Relation loadRelation(Identifier id) throws NoSuchTableException {
    if (isDeltaPath(id)) {
      return delta().loadTable(id);
    }
    Place place = place(id);
    Table table = place == null ? null : Tables.find(place);
    Relation found = table != null || place == null ? table : Views.find(place);
    if (found == null) {
      throw new NoSuchTableException(id);
    }
    return found;
  }

  @Override
  public Table loadTable(Identifier id, String version) throws NoSuchTableException {
    return travel(id, "versionAsOf", version);
  }

  @Override
  public Table loadTable(Identifier id, long microseconds) throws NoSuchTableException {
    return travel(id, "timestampAsOf", new java.sql.Timestamp(microseconds / 1000).toString());
  }

  private Table travel(Identifier id, String option, String value) throws NoSuchTableException {
    if (loadTable(id) instanceof DeltaTableV2 table) {
      return table.withOptions(Scala.map(Map.of(option, value)));
    }
    throw Problem.raise("Only Delta tables have versions, not " + id);
  }

  @Override
  public boolean tableExists(Identifier id) {
    if (isDeltaPath(id)) {
      return delta().tableExists(id);
    }
    Place place = place(id);
    return place != null && Tables.exists(place);
  }

  @Override
  public boolean viewExists(Identifier id) {
    Place place = place(id);
    return place != null && Views.exists(place);
  }

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    Schema schema = existing(namespace);
    return Arrays.stream(lake().list(schema.folder())).map(FolderCatalog::tableName)
        .filter(table -> table != null && Tables.exists(schema.place(table)))
        .map(table -> Identifier.of(namespace, table)).toArray(Identifier[]::new);
  }

  private static String tableName(FileStatus file) {
    String entry = file.getPath().getName();
    if (file.isDirectory()) {
      return Names.valid(entry) ? entry : null;
    }
    return named(entry, ExternalTables.SUFFIX);
  }

  private static String named(String file, String suffix) {
    String base = file.endsWith(suffix) ? file.substring(0, file.length() - suffix.length()) : "";
    return Names.valid(base) ? base : null;
  }

  @Override
  public Identifier[] listViews(String[] namespace) throws NoSuchNamespaceException {
    return Arrays.stream(lake().list(existing(namespace).folder()))
        .map(file -> named(file.getPath().getName(), Views.SUFFIX)).filter(view -> view != null)
        .map(view -> Identifier.of(namespace, view)).toArray(Identifier[]::new);
  }

  @Override
  public TableSummary[] listTableSummaries(String[] namespace) throws NoSuchNamespaceException {
    return Arrays.stream(listTables(namespace)).map(id -> TableSummary.of(id, ExternalTables.exists(place(id))
        ? TableSummary.EXTERNAL_TABLE_TYPE : TableSummary.MANAGED_TABLE_TYPE)).toArray(TableSummary[]::new);
  }

  @Override
  public TableSummary[] listRelationSummaries(String[] namespace) throws NoSuchNamespaceException {
    List<TableSummary> summaries = new ArrayList<>(List.of(listTableSummaries(namespace)));
    for (Identifier id : listViews(namespace)) {
      summaries.add(TableSummary.of(id, TableSummary.VIEW_TABLE_TYPE));
    }
    return summaries.toArray(TableSummary[]::new);
  }

  // ---- tables

  @Override
  public Table createTable(Identifier id, TableInfo info) throws TableAlreadyExistsException, NoSuchNamespaceException {
    return created(id, Wanted.of(info), info);
  }

  @Override
  public Table createTableLike(Identifier id, TableInfo own, Table other)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    return created(id, Wanted.like(other, own), own);
  }

  private Table created(Identifier id, Wanted wanted, TableInfo info)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    Table table = createTable(id, wanted.columns(), wanted.partitions(), wanted.properties());
    TableChange[] checks = Constraints.checks(info.constraints());
    if (checks.length == 0) {
      return table;
    }
    try {
      return alterTable(id, checks);
    } catch (Exception error) {
      dropTable(id);
      throw Problem.sneak(error);
    }
  }

  @Override
  public Table createTable(Identifier id, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    if (isDeltaPath(id)) {
      return delta().createTable(id, columns, partitions, properties);
    }
    Table made = Tables.create(free(id), new Wanted(columns, partitions, properties));
    if (made == null) {
      throw new TableAlreadyExistsException(id);
    }
    return made;
  }

  @Override
  public StagedTable stageCreate(Identifier id, TableInfo info)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    Wanted wanted = withoutChecks(info);
    return stageCreate(id, wanted.columns(), wanted.partitions(), wanted.properties());
  }

  @Override
  public StagedTable stageCreate(Identifier id, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    return isDeltaPath(id) ? delta().stageCreate(id, columns, partitions, properties)
        : Tables.stageCreate(free(id), new Wanted(columns, partitions, properties));
  }

  @Override
  public StagedTable stageReplace(Identifier id, TableInfo info) throws NoSuchNamespaceException, NoSuchTableException {
    Wanted wanted = withoutChecks(info);
    return stageReplace(id, wanted.columns(), wanted.partitions(), wanted.properties());
  }

  @Override
  public StagedTable stageReplace(Identifier id, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws NoSuchNamespaceException, NoSuchTableException {
    StagedTable staged = isDeltaPath(id) ? delta().stageReplace(id, columns, partitions, properties)
        : Tables.stageReplace(placeForNew(id), new Wanted(columns, partitions, properties));
    if (staged == null) {
      throw new NoSuchTableException(id);
    }
    return staged;
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier id, TableInfo info) throws NoSuchNamespaceException {
    Wanted wanted = withoutChecks(info);
    return stageCreateOrReplace(id, wanted.columns(), wanted.partitions(), wanted.properties());
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier id, Column[] columns, Transform[] partitions,
      Map<String, String> properties) throws NoSuchNamespaceException {
    return isDeltaPath(id) ? delta().stageCreateOrReplace(id, columns, partitions, properties)
        : Tables.stageCreateOrReplace(placeForNew(id), new Wanted(columns, partitions, properties));
  }

  private static Wanted withoutChecks(TableInfo info) {
    if (Constraints.checks(info.constraints()).length > 0) {
      throw Problem.raise("A replacing statement cannot hold a CHECK constraint: add it with ALTER TABLE afterwards");
    }
    return Wanted.of(info);
  }

  @Override
  public Table alterTable(Identifier id, TableChange... changes) throws NoSuchTableException {
    if (isDeltaPath(id)) {
      return delta().alterTable(id, changes);
    }
    Place place = place(id);
    Table altered = place == null ? null : Tables.alter(place, changes);
    if (altered == null) {
      throw new NoSuchTableException(id);
    }
    return altered;
  }

  @Override
  public boolean dropTable(Identifier id) {
    if (isDeltaPath(id)) {
      return delta().dropTable(id);
    }
    Place place = place(id);
    return place != null && Tables.drop(place);
  }

  @Override
  public boolean purgeTable(Identifier id) {
    return dropTable(id);
  }

  @Override
  public void renameTable(Identifier from, Identifier to) throws NoSuchTableException, TableAlreadyExistsException {
    Place source = place(from);
    if (source == null || !Tables.exists(source)) {
      throw new NoSuchTableException(from);
    }
    Place target = target(to);
    holding(() -> {
      if (!Tables.exists(source)) {
        throw new NoSuchTableException(from);
      }
      target.schemaMustExist();
      if (!Tables.isFree(target) || !Tables.move(source, target)) {
        throw new TableAlreadyExistsException(to);
      }
      return null;
    }, source, target);
  }

  // ---- views

  @Override
  public View createView(Identifier id, View view) throws ViewAlreadyExistsException, NoSuchNamespaceException {
    Place place = placeForNew(id);
    return holding(() -> {
      place.schemaMustExist();
      if (!Tables.isFree(place) || !Views.write(place, view, false)) {
        throw new ViewAlreadyExistsException(id);
      }
      return view;
    }, place);
  }

  @Override
  public View replaceView(Identifier id, View view) throws NoSuchViewException {
    Place place = place(id);
    if (place == null) {
      throw new NoSuchViewException(id);
    }
    return holding(() -> {
      if (!Views.exists(place)) {
        throw new NoSuchViewException(id);
      }
      Views.write(place, view, true);
      return view;
    }, place);
  }

  @Override
  public View createOrReplaceView(Identifier id, View view)
      throws ViewAlreadyExistsException, NoSuchNamespaceException {
    Place place = placeForNew(id);
    return holding(() -> {
      place.schemaMustExist();
      if (Tables.exists(place)) {
        throw new ViewAlreadyExistsException(id);
      }
      Views.write(place, view, true);
      return view;
    }, place);
  }

  @Override
  public boolean dropView(Identifier id) {
    Place place = place(id);
    return place != null && holding(() -> place.lake().delete(place.viewFile()), place);
  }

  @Override
  public void renameView(Identifier from, Identifier to) throws NoSuchViewException, ViewAlreadyExistsException {
    Place source = place(from);
    if (source == null || !Views.exists(source)) {
      throw new NoSuchViewException(from);
    }
    Place target = target(to);
    holding(() -> {
      if (!Views.exists(source)) {
        throw new NoSuchViewException(from);
      }
      target.schemaMustExist();
      if (!Tables.isFree(target) || !target.lake().move(source.viewFile(), target.viewFile())) {
        throw new ViewAlreadyExistsException(to);
      }
      return null;
    }, source, target);
  }

  // ---- schemas

  @Override
  public String[][] listNamespaces() {
    return lake().schemas(name).stream().map(schema -> new String[] {schema}).toArray(String[][]::new);
  }

  @Override
  public String[][] listNamespaces(String[] namespace) {
    return namespace.length == 0 ? listNamespaces() : new String[0][];
  }

  @Override
  public boolean namespaceExists(String[] namespace) {
    Schema schema = schema(namespace);
    return namespace.length == 0 || schema != null && schema.exists();
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace) throws NoSuchNamespaceException {
    return Schemas.metadata(existing(namespace));
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> properties)
      throws NamespaceAlreadyExistsException {
    Schema schema = schema(namespace);
    if (schema == null) {
      throw Problem.raise("There is no catalog " + namespace[0] + " for the schema " + String.join(".", namespace)
          + ": CREATE CATALOG makes it");
    }
    if (!Schemas.create(schema, properties)) {
      throw new NamespaceAlreadyExistsException(namespace);
    }
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) throws NoSuchNamespaceException {
    if (!Schemas.alter(existing(namespace), changes)) {
      throw new NoSuchNamespaceException(namespace);
    }
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade)
      throws NoSuchNamespaceException, NonEmptyNamespaceException {
    Schema schema = existing(namespace);
    return lake().locks().schema(schema.catalog(), schema.name(), () -> {
      Identifier[] tables = listTables(namespace);
      if (!cascade && (tables.length > 0 || listViews(namespace).length > 0)) {
        throw new NonEmptyNamespaceException(namespace);
      }
      boolean dropped = lake().delete(schema.folder());
      for (Identifier table : tables) {
        DeltaTables.forget(session(), schema.place(table.name()).folder());
      }
      return dropped;
    });
  }

  // ---- procedures behind the statements on catalogs and volumes; functions: none of its own

  @Override
  public UnboundProcedure loadProcedure(Identifier id) {
    UnboundProcedure procedure = Procedures.find(id);
    if (procedure == null) {
      throw Problem.raise("There is no procedure " + id);
    }
    return procedure;
  }

  @Override
  public Identifier[] listProcedures(String[] namespace) {
    return new Identifier[0];
  }

  @Override
  public Identifier[] listFunctions(String[] namespace) {
    return new Identifier[0];
  }

  @Override
  public UnboundFunction loadFunction(Identifier id) throws NoSuchFunctionException {
    throw new NoSuchFunctionException(id);
  }
}
