package medallion.catalog;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.constraints.Check;
import org.apache.spark.sql.connector.catalog.constraints.Constraint;
import org.apache.spark.sql.delta.constraints.AddConstraint;
import org.apache.spark.sql.delta.constraints.DropConstraint;

/**
 * Constraints of CREATE TABLE and ALTER TABLE. Delta enforces CHECK. Primary and foreign keys are informational, as on
 * Databricks: they are kept as table properties, {@code medallion.constraint.<name>}.
 */
final class Constraints {
  static final String PROPERTY = "medallion.constraint.";

  private Constraints() {}

  /** The CHECK constraints, as changes that Delta takes after the table was made. */
  static TableChange[] checks(Constraint[] constraints) {
    List<TableChange> changes = new ArrayList<>();
    for (Constraint constraint : constraints) {
      if (constraint instanceof Check check) {
        changes.add(new AddConstraint(check.name(), check.predicateSql()));
      }
    }
    return changes.toArray(TableChange[]::new);
  }

  /** Puts the informational constraints into a new table's properties. */
  static void record(Constraint[] constraints, Map<String, String> properties) {
    for (Constraint constraint : constraints) {
      if (!(constraint instanceof Check)) {
        properties.put(PROPERTY + constraint.name(), constraint.toDDL());
      }
    }
  }

  /**
   * Changes with Spark's constraints turned into Delta's, and keys into table properties.
   *
   * @param properties the table's present properties
   */
  static TableChange[] translate(TableChange[] changes, Map<String, String> properties) {
    return Arrays.stream(changes).map(change -> translate(change, properties)).toArray(TableChange[]::new);
  }

  private static TableChange translate(TableChange change, Map<String, String> properties) {
    if (change instanceof TableChange.AddConstraint add) {
      return add.constraint() instanceof Check check ? new AddConstraint(check.name(), check.predicateSql())
          : TableChange.setProperty(PROPERTY + add.constraint().name(), add.constraint().toDDL());
    }
    if (change instanceof TableChange.DropConstraint drop) {
      return dropped(drop.name(), drop.ifExists(), properties);
    }
    return change instanceof DropConstraint drop ? dropped(drop.constraintName(), drop.ifExists(), properties) : change;
  }

  private static TableChange dropped(String name, boolean ifExists, Map<String, String> properties) {
    return properties.containsKey(PROPERTY + name) ? TableChange.removeProperty(PROPERTY + name)
        : new DropConstraint(name, ifExists);
  }
}
