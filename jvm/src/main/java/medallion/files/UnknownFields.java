package medallion.files;

import java.io.Serializable;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.SparkException;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.types.StructType;

/** Fails on columns that a schema lacks, when the evolution mode says so. The case of a name has no meaning. */
final class UnknownFields implements Serializable {
  private static final long serialVersionUID = 1;

  private final Set<String> known = new HashSet<>();
  private final String retry; // whether a retry helps, as the message says; empty where unknown columns are allowed

  private UnknownFields(String retry) {
    this.retry = retry;
  }

  static UnknownFields of(StructType schema, List<String> folders, String retry) {
    UnknownFields made = new UnknownFields(retry);
    for (List<String> names : List.of(List.of(schema.fieldNames()), folders)) {
      names.forEach(name -> made.known.add(name.toLowerCase(Locale.ROOT)));
    }
    return made;
  }

  boolean refused() {
    return !retry.isEmpty();
  }

  /** Throws when there is an unknown name. Not a RuntimeException: those are passed over by ignoreCorruptFiles. */
  void check(Collection<String> names, String where, PartitionedFile file) {
    if (!refused()) {
      return;
    }
    Set<String> found = new LinkedHashSet<>(names);
    found.removeIf(name -> known.contains(name.toLowerCase(Locale.ROOT)));
    if (!found.isEmpty()) {
      UnknownFields.<RuntimeException>raise(new SparkException("[UNKNOWN_FIELD_EXCEPTION." + where + "] Encountered unknown "
          + "fields during parsing: " + found + ", which can be fixed by an automatic retry: " + retry + ". File: "
          + file.urlEncodedPath()));
    }
  }

  @SuppressWarnings("unchecked") // the compiler takes a checked exception for an unchecked one
  private static <E extends Throwable> void raise(Throwable error) throws E {
    throw (E) error;
  }
}
