package medallion.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.NoSuchViewException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.ViewAlreadyExistsException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.ProcedureCatalog;
import org.apache.spark.sql.connector.catalog.Relation;
import org.apache.spark.sql.connector.catalog.RelationCatalog;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.catalog.TableSummary;
import org.apache.spark.sql.connector.catalog.View;
import org.apache.spark.sql.connector.catalog.procedures.UnboundProcedure;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog shaped like Unity Catalog's, on folders: {@code <lake>/<catalog>/<schema>/<table>/_delta_log}. There is no
 * server and no lock: several JVMs may share a lake, and Delta's log decides between them.
 *
 * <p>Views and external tables are small JSON files in the schema's folder ({@link Views}, {@link ExternalTables}). Delta
 * tables are created and changed by the session's DeltaCatalog, by path ({@link DeltaTables}).
 */
public final class FolderCatalog
    implements StagingTableCatalog, RelationCatalog, SupportsNamespaces, ProcedureCatalog {
  private static final String SCHEMA_FILE = ".schema.json";

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

  @Override
  public Set<TableCatalogCapability> capabilities() {
    return Set.of(TableCatalogCapability.values());
  }

  private static SparkSession session() {
    return (SparkSession) SparkSession.active();
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
   * The place that a name means, or null when no such name can be in this catalog.
   *
   * <p>`a.b` is schema a of the current catalog, also when there is a catalog a: Spark then asks catalog a for b without a
   * schema, and Databricks does not. So that case leads back to the current catalog.
   */
  private Place place(Identifier id) {
    String[] schema = id.namespace();
    if (schema.length == 1) {
      return place(name, schema[0], id.name());
    }
    return schema.length == 0 ? place(current(), name, id.name()) : null;
  }

  private static Place place(String catalog, String schema, String table) {
    return new Place(lake(), catalog, Names.folder(schema), Names.folder(table));
  }

  private static String current() {
    CatalogPlugin current = session().sessionState().catalogManager().currentCatalog();
    return current instanceof FolderCatalog folder ? folder.name() : lake().defaultCatalog();
  }

  /** A schema by its catalog and name. */
  private record SchemaName(String catalog, String name) {
    Path folder() {
      return lake().schema(catalog, name);
    }

    boolean exists() {
      return lake().hasSchema(catalog, name);
    }
  }

  private SchemaName schema(String[] namespace) {
    return switch (namespace.length) {
      case 1 -> new SchemaName(name, namespace[0]);
      case 0 -> new SchemaName(current(), name);
      default -> null;
    };
  }

  private static boolean isPath(Identifier id) {
    return id.namespace().length == 1 && id.namespace()[0].equalsIgnoreCase("delta")
        && new Path(id.name()).isAbsolute();
  }

  private static boolean isFileFormat(Identifier id) {
    return id.namespace().length == 1 && id.name().indexOf('/') >= 0;
  }

  // ---- tables and views

  @Override
  public Relation loadRelation(Identifier id) throws NoSuchTableException {
    if (isPath(id)) {
      return DeltaTables.delta(session()).loadTable(id);
    }
    if (isFileFormat(id)) { // parquet.`/path`: Spark reads it once no table of that name was found
      throw new NoSuchTableException(id);
    }
    Place place = place(id);
    Table table = place == null ? null : table(place);
    Relation found = table != null || place == null ? table : Views.find(place);
    if (found == null) {
      throw new NoSuchTableException(id);
    }
    return found;
  }

  private static Table table(Place place) {
    if (DeltaTables.exists(session(), place.lake(), place.folder())) {
      return DeltaTables.load(session(), place, place.folder(), true);
    }
    ExternalTables.Definition external = ExternalTables.find(place);
    if (external == null) {
      return null;
    }
    return external.isDelta() ? DeltaTables.load(session(), place, external.path(), false)
        : DeltaTables.load(place, external);
  }

  /** Where the Delta table of that name lies; null when there is none, or it has another format. */
  private static Path deltaFolder(Place place) {
    if (DeltaTables.exists(session(), place.lake(), place.folder())) {
      return place.folder();
    }
    ExternalTables.Definition external = ExternalTables.find(place);
    return external != null && external.isDelta() ? external.path() : null;
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
    if (loadTable(id) instanceof DeltaTableV2 delta) {
      return delta.withOptions(Scala.map(Map.of(option, value)));
    }
    throw Problem.raise("Only Delta tables have versions, not " + id);
  }

  @Override
  public boolean tableExists(Identifier id) {
    if (isPath(id)) {
      return DeltaTables.delta(session()).tableExists(id);
    }
    Place place = isFileFormat(id) ? null : place(id);
    return place != null && tableExists(place);
  }

  private static boolean tableExists(Place place) {
    return DeltaTables.exists(session(), place.lake(), place.folder()) || ExternalTables.exists(place);
  }

  @Override
  public boolean viewExists(Identifier id) {
    Place place = isFileFormat(id) ? null : place(id);
    return place != null && Views.exists(place);
  }

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    List<Identifier> tables = new ArrayList<>();
    SchemaName schema = required(namespace);
    for (FileStatus file : lake().list(schema.folder())) {
      String table = tableName(file);
      if (table != null && tableExists(new Place(lake(), schema.catalog(), Names.folder(schema.name()), table))) {
        tables.add(Identifier.of(namespace, table));
      }
    }
    return tables.toArray(Identifier[]::new);
  }

  private static String tableName(FileStatus file) {
    String folder = file.getPath().getName();
    if (file.isDirectory()) {
      return Names.valid(folder) ? folder : null;
    }
    return named(folder, ExternalTables.SUFFIX);
  }

  private static String named(String file, String suffix) {
    if (!file.endsWith(suffix)) {
      return null;
    }
    String base = file.substring(0, file.length() - suffix.length());
    return Names.valid(base) ? base : null;
  }

  @Override
  public Identifier[] listViews(String[] namespace) throws NoSuchNamespaceException {
    return Arrays.stream(lake().list(required(namespace).folder())).map(s -> named(s.getPath().getName(), Views.SUFFIX))
        .filter(view -> view != null).map(view -> Identifier.of(namespace, view)).toArray(Identifier[]::new);
  }

  @Override
  public TableSummary[] listTableSummaries(String[] namespace) throws NoSuchNamespaceException {
    List<TableSummary> summaries = new ArrayList<>();
    for (Identifier id : listTables(namespace)) {
      boolean external = ExternalTables.exists(place(id));
      summaries.add(TableSummary.of(id, external ? TableSummary.EXTERNAL_TABLE_TYPE : TableSummary.MANAGED_TABLE_TYPE));
    }
    return summaries.toArray(TableSummary[]::new);
  }

  @Override
  public TableSummary[] listRelationSummaries(String[] namespace) throws NoSuchNamespaceException {
    List<TableSummary> summaries = new ArrayList<>(List.of(listTableSummaries(namespace)));
    for (Identifier id : listViews(namespace)) {
      summaries.add(TableSummary.of(id, TableSummary.VIEW_TABLE_TYPE));
    }
    return summaries.toArray(TableSummary[]::new);
  }

  // ---- creating tables

  @Override
  public Table createTable(Identifier id, TableInfo info) throws TableAlreadyExistsException, NoSuchNamespaceException {
    Map<String, String> properties = new LinkedHashMap<>(info.properties());
    Constraints.record(info.constraints(), properties);
    Table table = createTable(id, info.columns(), info.partitions(), properties);
    TableChange[] checks = Constraints.checks(info.constraints());
    if (checks.length == 0) {
      return table;
    }
    try {
      return alterTable(id, checks);
    } catch (Throwable error) {
      dropTable(id);
      throw Problem.sneak(error);
    }
  }

  @Override
  public Table createTable(Identifier id, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    if (isPath(id)) {
      return DeltaTables.delta(session()).createTable(id, columns, partitions, properties);
    }
    Place place = free(id);
    ExternalTables.Definition external = external(place, columns, partitions, properties);
    if (external == null || external.isDelta() && !(columns.length == 0 && holdsTable(external))) {
      Path folder = external == null ? place.folder() : external.path();
      DeltaTables.delta(session()).createTable(
          DeltaTables.byPath(folder), columns, partitions, DeltaTables.properties(properties));
    }
    if (external != null) {
      ExternalTables.write(place, external, false);
    }
    return table(place);
  }

  private static boolean holdsTable(ExternalTables.Definition external) {
    return DeltaTables.delta(session()).tableExists(
        Identifier.of(new String[] {"delta"}, new Path(external.path(), "_delta_log").toString()));
  }

  /** The definition of the external table that is asked for; null for a managed Delta table. */
  private static ExternalTables.Definition external(Place place, Column[] columns, Transform[] partitions,
      Map<String, String> properties) {
    if (properties.containsKey(TableCatalog.PROP_LOCATION)) {
      StructType schema = CatalogV2Util.v2ColumnsToStructType(columns);
      return ExternalTables.wanted(session(), place, schema, partitions, properties);
    }
    String provider = ExternalTables.provider(properties);
    if (!provider.equals("delta")) {
      throw Problem.raise("The managed table " + place + " must be a Delta table, not " + provider
          + ": leave the format out, or say LOCATION to keep files of that format outside the lake");
    }
    return null;
  }

  /** The place for a new table. */
  private Place free(Identifier id) throws TableAlreadyExistsException, NoSuchNamespaceException {
    Place place = within(id);
    if (tableExists(place) || Views.exists(place)) {
      throw new TableAlreadyExistsException(id);
    }
    return place;
  }

  /** The place of a table, in a schema that exists. */
  private Place within(Identifier id) throws NoSuchNamespaceException {
    Place place = place(id);
    if (place == null || !place.lake().hasSchema(place.catalog(), place.schema())) {
      throw new NoSuchNamespaceException(id.namespace());
    }
    return place;
  }

  @Override
  public StagedTable stageCreate(Identifier id, TableInfo info)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    return stageCreate(id, info.columns(), info.partitions(), recorded(info));
  }

  @Override
  public StagedTable stageCreate(Identifier id, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    StagingTableCatalog delta = DeltaTables.delta(session());
    if (isPath(id)) {
      return delta.stageCreate(id, columns, partitions, properties);
    }
    Place place = free(id);
    ExternalTables.Definition external = deltaOnly(place, external(place, columns, partitions, properties));
    Path folder = external == null ? place.folder() : external.path();
    return published(place, external,
        delta.stageCreate(DeltaTables.byPath(folder), columns, partitions, DeltaTables.properties(properties)));
  }

  @Override
  public StagedTable stageReplace(Identifier id, TableInfo info) throws NoSuchNamespaceException, NoSuchTableException {
    return stageReplace(id, info.columns(), info.partitions(), recorded(info));
  }

  @Override
  public StagedTable stageReplace(Identifier id, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws NoSuchNamespaceException, NoSuchTableException {
    StagingTableCatalog delta = DeltaTables.delta(session());
    if (isPath(id)) {
      return delta.stageReplace(id, columns, partitions, properties);
    }
    Path folder = replaced(within(id), columns, partitions, properties);
    if (folder == null) {
      throw new NoSuchTableException(id);
    }
    return delta.stageReplace(DeltaTables.byPath(folder), columns, partitions, DeltaTables.properties(properties));
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier id, TableInfo info) throws NoSuchNamespaceException {
    return stageCreateOrReplace(id, info.columns(), info.partitions(), recorded(info));
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier id, Column[] columns, Transform[] partitions,
      Map<String, String> properties) throws NoSuchNamespaceException {
    StagingTableCatalog delta = DeltaTables.delta(session());
    if (isPath(id)) {
      return delta.stageCreateOrReplace(id, columns, partitions, properties);
    }
    Place place = within(id);
    Path folder = replaced(place, columns, partitions, properties);
    if (folder != null) {
      return delta.stageCreateOrReplace(
          DeltaTables.byPath(folder), columns, partitions, DeltaTables.properties(properties));
    }
    ExternalTables.Definition external = deltaOnly(place, external(place, columns, partitions, properties));
    return published(place, external, delta.stageCreateOrReplace(
        DeltaTables.byPath(external == null ? place.folder() : external.path()), columns, partitions,
        DeltaTables.properties(properties)));
  }

  /** Folder of the existing table that a REPLACE overwrites; null when there is none. */
  private static Path replaced(Place place, Column[] columns, Transform[] partitions, Map<String, String> properties) {
    if (Views.exists(place)) {
      throw Problem.raise(place + " is a view: drop it before a table can take its name");
    }
    Path folder = deltaFolder(place);
    if (folder == null) {
      if (ExternalTables.exists(place)) {
        throw Problem.raise(place + " is not a Delta table: drop it first, it cannot be replaced in one step");
      }
      return null;
    }
    ExternalTables.Definition external = external(place, columns, partitions, properties);
    if (external != null && !external.path().equals(folder)) {
      throw Problem.raise(place + " lies at " + folder + ", a REPLACE cannot move it to " + external.path());
    }
    return folder;
  }

  private static ExternalTables.Definition deltaOnly(Place place, ExternalTables.Definition external) {
    if (external != null && !external.isDelta()) {
      throw Problem.raise("CREATE TABLE AS SELECT and saveAsTable make Delta tables only: write " + place
          + " as " + external.provider() + " files first, then CREATE TABLE … USING " + external.provider()
          + " LOCATION …");
    }
    return external;
  }

  private static StagedTable published(Place place, ExternalTables.Definition external, StagedTable staged) {
    return external == null ? staged
        : new PublishedTable(staged, () -> ExternalTables.write(place, external, true));
  }

  private static Map<String, String> recorded(TableInfo info) {
    if (Constraints.checks(info.constraints()).length > 0) {
      throw Problem.raise("A CHECK constraint cannot be part of a replacing statement: add it with ALTER TABLE");
    }
    Map<String, String> properties = new LinkedHashMap<>(info.properties());
    Constraints.record(info.constraints(), properties);
    return properties;
  }

  // ---- changing tables

  @Override
  public Table alterTable(Identifier id, TableChange... changes) throws NoSuchTableException {
    StagingTableCatalog delta = DeltaTables.delta(session());
    if (isPath(id)) {
      return delta.alterTable(id, changes);
    }
    Place place = place(id);
    Path folder = place == null ? null : deltaFolder(place);
    if (folder == null) {
      if (place != null && ExternalTables.exists(place)) {
        throw Problem.raise(place + " is not a Delta table: only Delta tables can be altered");
      }
      throw new NoSuchTableException(id);
    }
    delta.alterTable(DeltaTables.byPath(folder), Constraints.translate(changes, table(place).properties()));
    return table(place);
  }

  @Override
  public boolean dropTable(Identifier id) {
    if (isPath(id)) {
      return DeltaTables.delta(session()).dropTable(id);
    }
    Place place = place(id);
    if (place == null) {
      return false;
    }
    if (DeltaTables.exists(session(), place.lake(), place.folder())) {
      place.lake().delete(place.folder());
      DeltaTables.forget(session(), place.folder());
      return true;
    }
    return place.lake().delete(place.externalFile());
  }

  @Override
  public boolean purgeTable(Identifier id) {
    return dropTable(id);
  }

  @Override
  public void renameTable(Identifier from, Identifier to) throws NoSuchTableException, TableAlreadyExistsException {
    Place source = place(from);
    Place target = place(to);
    if (source == null || !tableExists(source)) {
      throw new NoSuchTableException(from);
    }
    if (target == null || !target.lake().hasSchema(target.catalog(), target.schema())) {
      throw Problem.raise("There is no schema for the new name " + to);
    }
    if (tableExists(target) || Views.exists(target)) {
      throw new TableAlreadyExistsException(to);
    }
    boolean external = ExternalTables.exists(source);
    Path now = external ? target.externalFile() : target.folder();
    Path before = external ? source.externalFile() : source.folder();
    target.lake().makeFolder(target.schemaFolder());
    if (!external) {
      target.lake().delete(now); // what a crash may have left there: no table, as seen above
    }
    target.lake().move(before, now);
    DeltaTables.forget(session(), before);
    DeltaTables.forget(session(), now);
  }

  // ---- views

  @Override
  public View createView(Identifier id, View view) throws ViewAlreadyExistsException, NoSuchNamespaceException {
    Place place = within(id);
    if (tableExists(place) || Views.exists(place)) {
      throw new ViewAlreadyExistsException(id);
    }
    Views.write(place, view, false);
    return view;
  }

  @Override
  public View replaceView(Identifier id, View view) throws NoSuchViewException {
    Place place = place(id);
    if (place == null || !Views.exists(place)) {
      throw new NoSuchViewException(id);
    }
    Views.write(place, view, true);
    return view;
  }

  @Override
  public View createOrReplaceView(Identifier id, View view)
      throws ViewAlreadyExistsException, NoSuchNamespaceException {
    Place place = within(id);
    if (tableExists(place)) {
      throw new ViewAlreadyExistsException(id);
    }
    Views.write(place, view, true);
    return view;
  }

  @Override
  public boolean dropView(Identifier id) {
    Place place = place(id);
    return place != null && place.lake().delete(place.viewFile());
  }

  @Override
  public void renameView(Identifier from, Identifier to) throws NoSuchViewException, ViewAlreadyExistsException {
    Place source = place(from);
    Place target = place(to);
    if (source == null || !Views.exists(source)) {
      throw new NoSuchViewException(from);
    }
    if (target == null || tableExists(target) || Views.exists(target)) {
      throw new ViewAlreadyExistsException(to);
    }
    target.lake().move(source.viewFile(), target.viewFile());
  }

  // ---- schemas

  private SchemaName required(String[] namespace) throws NoSuchNamespaceException {
    SchemaName schema = schema(namespace);
    if (schema == null || !schema.exists()) {
      throw new NoSuchNamespaceException(namespace);
    }
    return schema;
  }

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
    SchemaName schema = schema(namespace);
    return namespace.length == 0 || schema != null && schema.exists();
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace) throws NoSuchNamespaceException {
    SchemaName schema = required(namespace);
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put(SupportsNamespaces.PROP_LOCATION, schema.folder().toString());
    JsonNode file = lake().read(new Path(schema.folder(), SCHEMA_FILE));
    if (file != null) {
      metadata.putAll(Views.map(file));
    }
    return metadata;
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> properties)
      throws NamespaceAlreadyExistsException {
    SchemaName schema = schema(namespace);
    if (schema == null) {
      throw Problem.raise("A catalog holds schemas, and a schema no further ones: " + String.join(".", namespace));
    }
    if (lake().isFolder(schema.folder())) {
      throw new NamespaceAlreadyExistsException(namespace);
    }
    lake().makeFolder(schema.folder());
    Map<String, String> kept = new LinkedHashMap<>(properties);
    kept.remove(SupportsNamespaces.PROP_LOCATION); // managed tables lie in the lake, whatever storage a schema names
    kept.remove(SupportsNamespaces.PROP_OWNER);
    if (!kept.isEmpty()) {
      describe(schema, kept);
    }
  }

  private static void describe(SchemaName schema, Map<String, String> properties) {
    ObjectNode file = Lake.json().createObjectNode();
    properties.forEach(file::put);
    lake().write(new Path(schema.folder(), SCHEMA_FILE), file, true);
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) throws NoSuchNamespaceException {
    SchemaName schema = required(namespace);
    Map<String, String> metadata = new LinkedHashMap<>(loadNamespaceMetadata(namespace));
    metadata.remove(SupportsNamespaces.PROP_LOCATION);
    for (NamespaceChange change : changes) {
      if (change instanceof NamespaceChange.SetProperty set) {
        metadata.put(set.property(), set.value());
      } else if (change instanceof NamespaceChange.RemoveProperty remove) {
        metadata.remove(remove.property());
      }
    }
    describe(schema, metadata);
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade)
      throws NoSuchNamespaceException, NonEmptyNamespaceException {
    SchemaName schema = required(namespace);
    Identifier[] tables = listTables(namespace);
    if (!cascade && (tables.length > 0 || listViews(namespace).length > 0)) {
      throw new NonEmptyNamespaceException(namespace);
    }
    boolean dropped = lake().delete(schema.folder());
    for (Identifier table : tables) {
      DeltaTables.forget(session(), new Path(schema.folder(), table.name()));
    }
    return dropped;
  }

  // ---- statements on catalogs and volumes

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
}
