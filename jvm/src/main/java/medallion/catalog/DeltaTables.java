package medallion.catalog;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.QualifiedTableName;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.catalog.CatalogStorageFormat;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.catalog.CatalogTableType;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.V1Table;
import org.apache.spark.sql.delta.DeltaLog;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.types.StructType;

/** How tables of the lake look to Delta and Spark: a table object with a catalog entry, and the session's DeltaCatalog. */
final class DeltaTables {
  private static final String FIRST_COMMIT = "00000000000000000000.json";
  private static final Pattern CHECKPOINT = Pattern.compile("\\d{20}\\.checkpoint.*");
  private static final String NONE = "none";
  private static final Map<Path, String> SEEN = new ConcurrentHashMap<>();

  private DeltaTables() {}

  /**
   * Whether a folder holds a Delta table with at least one commit. A log folder without a commit is what a crash in the
   * middle of CREATE TABLE AS leaves, and is no table. Nor is a log with later commits alone: those are of a writer that was
   * at work while its table was dropped.
   *
   * <p>A table that was dropped and made anew, perhaps by another JVM, has a new first commit: then what Delta remembers
   * of the old one in this JVM is thrown away.
   */
  static boolean exists(SparkSession session, Lake lake, Path table) {
    String identity = identity(lake, new Path(table, "_delta_log"));
    SEEN.compute(table, (path, before) -> { // one step: nobody sees the new identity before the old log is forgotten
      if (before != null && !before.equals(identity == null ? NONE : identity)) {
        DeltaLog.invalidateCache(session, table);
      }
      return identity != null ? identity : before == null ? null : NONE;
    });
    return identity != null;
  }

  private static String identity(Lake lake, Path log) {
    FileStatus first = lake.status(new Path(log, FIRST_COMMIT));
    if (first == null) { // no table, or a log whose first commits were cleaned up after a checkpoint
      for (FileStatus file : lake.list(log)) {
        if (CHECKPOINT.matcher(file.getPath().getName()).matches()) {
          return "cleaned";
        }
      }
      return null;
    }
    return first.getModificationTime() + ":" + first.getLen();
  }

  /** Forgets what Delta remembers of a table that is gone or has moved. */
  static void forget(SparkSession session, Path table) {
    SEEN.compute(table, (path, before) -> { // kept: a reader that is late may bring the old log back into Delta's memory
      DeltaLog.invalidateCache(session, table);
      return NONE;
    });
  }

  /**
   * The Delta table in a folder. It carries a catalog entry, because Delta serves streams only from tables that have one.
   */
  static DeltaTableV2 load(SparkSession session, Place place, Path folder, boolean managed) {
    // As in a metastore, the entry's columns are empty: Delta takes them from its log.
    CatalogTable entry = entry(place, managed, "delta", folder, new StructType(), List.of(), Map.of(), Map.of(), null);
    // No table identifier: Delta would look it up in the session catalog, where the path is right everywhere.
    return DeltaTableV2.apply(session, folder, Scala.some(entry), Scala.none(), Scala.map(Map.of()), Scala.none());
  }

  /**
   * A table of another format than Delta. What the session remembers of its files goes by the name alone, so it is thrown
   * away: others may have written files, or made another table of that name.
   */
  static V1Table load(SparkSession session, Place place, ExternalTables.Definition definition) {
    session.sessionState().catalog().invalidateCachedTable(
        new QualifiedTableName(place.catalog(), place.schema(), place.name()));
    return V1Table.apply(entry(place, false, definition.provider(), definition.path(), definition.columns(),
        definition.partitions(), definition.options(), definition.properties(), definition.comment()));
  }

  private static CatalogTable entry(Place place, boolean managed, String provider, Path folder, StructType columns,
      List<String> partitions, Map<String, String> options, Map<String, String> properties, String comment) {
    TableIdentifier name = TableIdentifier.apply(place.name(), Scala.some(place.schema()), Scala.some(place.catalog()));
    CatalogTableType type = managed ? CatalogTableType.MANAGED() : CatalogTableType.EXTERNAL();
    CatalogStorageFormat empty = CatalogStorageFormat.empty();
    CatalogStorageFormat storage = new CatalogStorageFormat(Scala.some(folder.toUri()), empty.inputFormat(),
        empty.outputFormat(), empty.serde(), empty.compressed(), Scala.map(options), empty.serdeName());
    return CatalogTable.apply(name, type, storage, columns, Scala.some(provider), Scala.seq(partitions), Scala.none(), "",
        System.currentTimeMillis(), -1L, "", Scala.map(properties), Scala.none(), Scala.none(), Scala.some(comment),
        Scala.none(), Scala.seq(List.of()), false, true, Scala.map(Map.of()), Scala.none(), Scala.none());
  }

  /** The session's DeltaCatalog, which creates and changes tables by their path. */
  static StagingTableCatalog delta(SparkSession session) {
    if (session.sessionState().catalogManager().v2SessionCatalog() instanceof StagingTableCatalog catalog) {
      return catalog;
    }
    throw Problem.raise("spark.sql.catalog.spark_catalog must be Delta's catalog");
  }

  /** How the DeltaCatalog names a table by its path. */
  static Identifier byPath(Path folder) {
    return Identifier.of(new String[] {"delta"}, folder.toString());
  }

  /** The properties of a CREATE TABLE as a table by path takes them: the path says the location. */
  static Map<String, String> properties(Map<String, String> properties) {
    Map<String, String> kept = new HashMap<>(properties);
    kept.remove(TableCatalog.PROP_LOCATION);
    kept.remove(TableCatalog.PROP_EXTERNAL);
    kept.remove(TableCatalog.PROP_TABLE_TYPE);
    kept.put(TableCatalog.PROP_PROVIDER, "delta");
    return kept;
  }
}
