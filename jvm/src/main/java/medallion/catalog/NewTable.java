package medallion.catalog;

import io.delta.exceptions.DeltaConcurrentModificationException;
import java.io.FileNotFoundException;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.WriteBuilder;

/**
 * A table that CREATE TABLE AS makes. Its query runs while it is committed, so its name is not held: Delta's first commit
 * decides who makes the table. An external table's name is written to the schema's folder once the data is committed.
 */
final class NewTable implements StagedTable, SupportsWrite {
  private final Place place;
  private final ExternalTables.Definition external;
  private final StagedTable staged;
  private final boolean replacing;

  /**
   * @param external the definition to publish; null for a managed table
   * @param replacing whether a table that is there by then is replaced
   */
  NewTable(Place place, ExternalTables.Definition external, StagedTable staged, boolean replacing) {
    this.place = place;
    this.external = external;
    this.staged = staged;
    this.replacing = replacing;
  }

  @Override
  public void commitStagedChanges() {
    mustBeFree();
    try {
      commit();
    } catch (Exception error) {
      throw Problem.sneak(reason(error));
    }
    if (external != null) {
      ExternalTables.write(place, external, true);
    }
  }

  /** Delta refuses a folder that holds files and no log; in the lake they are of a writer that died, or is at work beside us. */
  private void commit() {
    try {
      staged.commitStagedChanges();
    } catch (Exception error) {
      if (external != null || !Tables.isNotEmpty(error)) {
        throw error;
      }
      place.lake().makeFolder(new Path(place.folder(), Tables.LOG));
      staged.commitStagedChanges();
    }
  }

  private void mustBeFree() {
    if (!replacing && !Tables.isFree(place)) {
      throw Problem.sneak(taken());
    }
  }

  /** What the user hears: others may have made the table, or dropped its schema, while the query ran. */
  private Exception reason(Exception error) {
    if (!place.lake().hasCatalog(place.catalog()) || !place.lake().hasSchema(place.catalog(), place.schema())) {
      return new NoSuchNamespaceException(new String[] {place.catalog(), place.schema()});
    }
    boolean there = Tables.exists(place);
    if (!replacing && there && error instanceof DeltaConcurrentModificationException) {
      return taken();
    }
    return !there && isMissing(error) ? new Problem(place + " was dropped while this statement wrote it: run it again") : error;
  }

  private static boolean isMissing(Throwable error) {
    return error != null && (error instanceof FileNotFoundException || isMissing(error.getCause()));
  }

  private TableAlreadyExistsException taken() {
    return new TableAlreadyExistsException(Identifier.of(new String[] {place.catalog(), place.schema()}, place.name()));
  }

  @Override
  public void abortStagedChanges() {
    staged.abortStagedChanges();
  }

  @Override
  public CustomTaskMetric[] reportDriverMetrics() {
    return staged.reportDriverMetrics();
  }

  @Override
  public WriteBuilder newWriteBuilder(LogicalWriteInfo info) {
    return ((SupportsWrite) staged).newWriteBuilder(info);
  }

  @Override
  public String name() {
    return staged.name();
  }

  @Override
  public Column[] columns() {
    return staged.columns();
  }

  @Override
  public Transform[] partitioning() {
    return staged.partitioning();
  }

  @Override
  public Map<String, String> properties() {
    return staged.properties();
  }

  @Override
  public Set<TableCapability> capabilities() {
    return staged.capabilities();
  }
}
