package medallion.disk;

import java.io.FileNotFoundException;
import java.nio.file.Path;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;

/**
 * Which folders of the lake a writer of data may make. A table whose schema another session has just dropped is still being
 * written: it must not bring the schema back. So catalogs and schemas are made by their statements alone, all but those that
 * are always there.
 */
final class LakeFolders {
  /** Hadoop conf: URI of the lake's root. */
  static final String CONF = "medallion.lake";
  /** Hadoop conf: the catalog that is always there. */
  static final String DEFAULT_CATALOG_CONF = "medallion.lake.defaultCatalog";

  private static final String DEFAULT_SCHEMA = "default";
  /** Where the session catalog's own tables would be. */
  private static final String HIDDEN = ".spark_catalog";
  private static final LakeFolders NONE = new LakeFolders(null, Set.of());

  private final Path root;
  private final Set<String> catalogs;

  private LakeFolders(Path root, Set<String> catalogs) {
    this.root = root;
    this.catalogs = catalogs;
  }

  static LakeFolders of(Configuration conf) {
    String root = conf == null ? null : conf.get(CONF);
    return root == null ? NONE : new LakeFolders(Path.of(java.net.URI.create(root).getPath()),
        Set.of(conf.get(DEFAULT_CATALOG_CONF, "main"), "hive_metastore"));
  }

  /** Raises what Hadoop's contract says of a missing folder when {@code path} is a catalog or schema that is not there. */
  void mayMake(Path path) throws FileNotFoundException {
    if (root == null || !path.startsWith(root)) {
      return;
    }
    Path inside = root.relativize(path);
    String name = path.getFileName().toString();
    boolean ours = path.equals(root) || name.startsWith(".") || inside.startsWith(HIDDEN) || inside.getNameCount() > 2
        || (inside.getNameCount() == 1 ? catalogs.contains(name) : name.equals(DEFAULT_SCHEMA));
    if (!ours) {
      throw new FileNotFoundException("There is no catalog or schema " + inside.toString().replace('/', '.')
          + ", or it was dropped: " + path);
    }
  }
}
