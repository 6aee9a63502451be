package medallion.catalog;

import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.WriteBuilder;

/** A staged external table: its name is written to the schema's folder once Delta has committed the data. */
final class PublishedTable implements StagedTable, SupportsWrite {
  private final StagedTable staged;
  private final Runnable publish;

  PublishedTable(StagedTable staged, Runnable publish) {
    this.staged = staged;
    this.publish = publish;
  }

  @Override
  public void commitStagedChanges() {
    staged.commitStagedChanges();
    publish.run();
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
