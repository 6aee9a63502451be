package medallion.catalog;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.expressions.Transform;

/** Tables at their places: found, created, changed, dropped and moved. Managed ones are Delta, external ones have any format. */
final class Tables {
  /** Properties of a table that CREATE TABLE LIKE does not copy: Delta sets them itself. */
  private static final String NOT_COPIED =
      "delta\\.(minReaderVersion|minWriterVersion|feature\\..*|constraints\\..*|columnMapping\\.maxColumnId|rowTracking\\..*)";

  /** The folder of a Delta table that makes it one. */
  static final String LOG = "_delta_log";
  /** Delta's error of a new table in a folder that holds files. */
  private static final String NOT_EMPTY = "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION";

  private Tables() {}

  /** What CREATE or REPLACE TABLE asks for. */
  record Wanted(Column[] columns, Transform[] partitions, Map<String, String> properties) {
    /** A new table's definition, with keys as properties; CHECK constraints are left to the caller. */
    static Wanted of(TableInfo info) {
      Map<String, String> properties = new LinkedHashMap<>(info.properties());
      Constraints.record(info.constraints(), properties);
      return new Wanted(info.columns(), info.partitions(), properties);
    }

    /** The definition of a table like another one; what {@code own} says goes before. */
    static Wanted like(Table other, TableInfo own) {
      Map<String, String> properties = new LinkedHashMap<>();
      other.properties().forEach((key, value) -> {
        if (key.startsWith("delta.") && !key.matches(NOT_COPIED)) {
          properties.put(key, value);
        }
      });
      properties.putAll(own.properties());
      return new Wanted(other.columns(), other.partitioning(), properties);
    }
  }

  private static SparkSession session() {
    return (SparkSession) SparkSession.active();
  }

  // ---- looking

  static boolean exists(Place place) {
    return DeltaTables.exists(session(), place.lake(), place.folder()) || ExternalTables.exists(place);
  }

  /** The table at that place, or null. */
  static Table find(Place place) {
    if (DeltaTables.exists(session(), place.lake(), place.folder())) {
      return DeltaTables.load(session(), place, place.folder(), true);
    }
    ExternalTables.Definition external = ExternalTables.find(place);
    if (external == null) {
      return null;
    }
    return external.isDelta() ? DeltaTables.load(session(), place, external.path(), false)
        : DeltaTables.load(session(), place, external);
  }

  /** Where the Delta table of that name lies; null when there is none, or it has another format. */
  private static Path deltaFolder(Place place) {
    if (DeltaTables.exists(session(), place.lake(), place.folder())) {
      return place.folder();
    }
    ExternalTables.Definition external = ExternalTables.find(place);
    return external != null && external.isDelta() ? external.path() : null;
  }

  // ---- creating

  /** Creates a table; null when its name is taken. */
  static Table create(Place place, Wanted wanted) {
    ExternalTables.Definition external = external(place, wanted); // may read files: not while the name is held
    boolean made = place.lake().locks().names(() -> isFree(place) && made(place, wanted, external), place);
    return made ? find(place) : null;
  }

  /** Whether a new table or view may take a name. */
  static boolean isFree(Place place) {
    return !exists(place) && !Views.exists(place);
  }

  private static boolean made(Place place, Wanted wanted, ExternalTables.Definition external)
      throws NoSuchNamespaceException {
    place.schemaMustExist();
    if (external == null) {
      return madeManaged(place, wanted);
    }
    boolean adopted = wanted.columns().length == 0 && external.isDelta() && hasLog(external.path());
    if (external.isDelta() && !adopted) {
      createDelta(external.path(), wanted);
    }
    return ExternalTables.write(place, external, false);
  }

  private static boolean madeManaged(Place place, Wanted wanted) {
    if (place.lake().status(place.folder()) != null) {
      return madeBesideFiles(place, wanted);
    }
    try {
      createDelta(place.folder(), wanted);
      return true;
    } catch (Exception error) {
      if (exists(place)) { // a CREATE TABLE AS, which holds no name, was quicker
        return false;
      }
      if (!isNotEmpty(error)) {
        throw error;
      }
      return madeBesideFiles(place, wanted);
    }
  }

  /** Whether Delta refused a folder that holds files and no log. */
  static boolean isNotEmpty(Exception error) {
    return error instanceof SparkThrowable told && NOT_EMPTY.equals(told.getCondition());
  }

  /**
   * Makes a table in a folder that holds files and is no table: a writer has died, or a CREATE TABLE AS is at work. Its files
   * stay, and what it commits comes too late.
   */
  private static boolean madeBesideFiles(Place place, Wanted wanted) {
    Path draft = place.lake().draft(place.folder());
    Path log = new Path(place.folder(), LOG);
    try {
      createDelta(draft, wanted);
      return place.lake().move(new Path(draft, LOG), log)
          || !exists(place) && place.lake().delete(log) && place.lake().move(new Path(draft, LOG), log);
    } finally {
      place.lake().delete(draft);
      DeltaTables.forget(session(), draft);
      DeltaTables.forget(session(), place.folder());
    }
  }

  /** Before CREATE TABLE AS: removes a log that holds what a late writer of a dropped table has committed. */
  private static void removeLateCommits(Place place) {
    Path log = new Path(place.folder(), LOG);
    if (Arrays.stream(place.lake().list(log)).anyMatch(file -> file.getPath().getName().matches("\\d{20}\\.json"))) {
      place.lake().locks().names(() -> !exists(place) && place.lake().delete(log), place);
    }
  }

  /** Whether a folder anywhere has a Delta log. */
  private static boolean hasLog(Path folder) {
    return DeltaTables.delta(session()).tableExists(DeltaTables.byPath(new Path(folder, LOG)));
  }

  private static void createDelta(Path folder, Wanted wanted) {
    try {
      DeltaTables.delta(session()).createTable(DeltaTables.byPath(folder), wanted.columns(), wanted.partitions(),
          DeltaTables.properties(wanted.properties()));
    } catch (Exception error) {
      throw Problem.sneak(error);
    }
  }

  /** The definition of the external table that is asked for; null for a managed Delta table. */
  private static ExternalTables.Definition external(Place place, Wanted wanted) {
    Map<String, String> properties = wanted.properties();
    if (properties.containsKey(TableCatalog.PROP_LOCATION)) {
      return ExternalTables.wanted(session(), place, CatalogV2Util.v2ColumnsToStructType(wanted.columns()),
          wanted.partitions(), properties);
    }
    String provider = ExternalTables.provider(properties);
    if (!provider.equals("delta")) {
      throw Problem.raise("The managed table " + place + " must be a Delta table, not " + provider
          + ": leave the format out, or say LOCATION to keep files of that format outside the lake");
    }
    return null;
  }

  /** Begins CREATE TABLE AS at a free place. Nothing is visible before Delta's first commit. */
  static StagedTable stageCreate(Place place, Wanted wanted) {
    ExternalTables.Definition external = deltaOnly(place, external(place, wanted));
    removeLateCommits(place);
    Path folder = external == null ? place.folder() : external.path();
    try {
      return new NewTable(place, external, DeltaTables.delta(session()).stageCreate(DeltaTables.byPath(folder),
          wanted.columns(), wanted.partitions(), DeltaTables.properties(wanted.properties())), false);
    } catch (Exception error) {
      throw Problem.sneak(error);
    }
  }

  /** Begins REPLACE TABLE of an existing table; null when there is none. */
  static StagedTable stageReplace(Place place, Wanted wanted) {
    Path folder = replaced(place, wanted);
    try {
      return folder == null ? null : DeltaTables.delta(session()).stageReplace(DeltaTables.byPath(folder),
          wanted.columns(), wanted.partitions(), DeltaTables.properties(wanted.properties()));
    } catch (Exception error) {
      throw Problem.sneak(error);
    }
  }

  /** Begins CREATE OR REPLACE TABLE. */
  static StagedTable stageCreateOrReplace(Place place, Wanted wanted) {
    Path existing = replaced(place, wanted);
    if (existing == null) {
      removeLateCommits(place);
    }
    ExternalTables.Definition external = existing != null ? null : deltaOnly(place, external(place, wanted));
    Path folder = existing != null ? existing : external == null ? place.folder() : external.path();
    try {
      return new NewTable(place, external, DeltaTables.delta(session()).stageCreateOrReplace(DeltaTables.byPath(folder),
          wanted.columns(), wanted.partitions(), DeltaTables.properties(wanted.properties())), true);
    } catch (Exception error) {
      throw Problem.sneak(error);
    }
  }

  /** Folder of the existing table that a REPLACE overwrites; null when there is none. */
  private static Path replaced(Place place, Wanted wanted) {
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
    ExternalTables.Definition external = external(place, wanted);
    if (external != null && !external.path().equals(folder)) {
      throw Problem.raise(place + " lies at " + folder + ", a REPLACE cannot move it to " + external.path());
    }
    return folder;
  }

  private static ExternalTables.Definition deltaOnly(Place place, ExternalTables.Definition external) {
    if (external != null && !external.isDelta()) {
      throw Problem.raise("CREATE TABLE AS SELECT and saveAsTable make Delta tables only: write " + place + " as "
          + external.provider() + " files first, then CREATE TABLE … USING " + external.provider() + " LOCATION …");
    }
    return external;
  }

  // ---- changing

  /** Alters a Delta table; null when there is no table. */
  static Table alter(Place place, TableChange[] changes) {
    Path folder = deltaFolder(place);
    if (folder == null) {
      if (ExternalTables.exists(place)) {
        throw Problem.raise(place + " is not a Delta table: only Delta tables can be altered");
      }
      return null;
    }
    try {
      Table table = find(place);
      TableChange[] left = EmptiedTables.reshaped(session(), folder, table, changes);
      if (left.length > 0) {
        DeltaTables.delta(session()).alterTable(
            DeltaTables.byPath(folder), Constraints.translate(left, table.properties()));
      }
    } catch (Exception error) {
      throw Problem.sneak(error);
    }
    return find(place);
  }

  /** Drops a table: a managed one with its data, an external one without. Whether there was one. */
  static boolean drop(Place place) {
    return place.lake().locks().names(() -> {
      if (!DeltaTables.exists(session(), place.lake(), place.folder())) {
        return place.lake().delete(place.externalFile());
      }
      boolean dropped = place.lake().delete(place.folder());
      DeltaTables.forget(session(), place.folder());
      return dropped;
    }, place);
  }

  /** Moves a table to a free place, while both names are held. False when a CREATE TABLE AS has taken the place. */
  static boolean move(Place from, Place to) {
    if (ExternalTables.exists(from)) {
      return to.lake().move(from.externalFile(), to.externalFile());
    }
    to.lake().delete(to.folder()); // what a crash may have left there: no table, or the place would not be free
    boolean moved = to.lake().move(from.folder(), to.folder());
    DeltaTables.forget(session(), from.folder());
    DeltaTables.forget(session(), to.folder());
    return moved;
  }
}
