package medallion.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.ChecksumFileSystem;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.internal.SQLConf;

/**
 * The folder of all catalogs: {@code <root>/<catalog>/<schema>/<table>}. All file work of this package is here, and
 * nothing here touches a file outside the root.
 *
 * <p>Folders and files whose name starts with a period are the lake's own and are never listed.
 */
final class Lake {
  /** Spark conf: URI of the lake's root. */
  static final String CONF = "spark.medallion.lake";

  /** Spark conf: the catalog of names with fewer than three parts. */
  static final String DEFAULT_CATALOG_CONF = "spark.medallion.defaultCatalog";

  /** The schema that every catalog has, as in Unity Catalog. */
  static final String DEFAULT_SCHEMA = "default";

  /** The catalog of tables from before Unity Catalog; on Databricks it is always there, so it is here. */
  static final String HIVE_METASTORE = "hive_metastore";

  private static final String LOCKS = ".locks";
  private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private static final Map<String, Lake> LAKES = new ConcurrentHashMap<>();

  private final Path root;
  private final FileSystem files;
  private final FileContext context;
  private final String defaultCatalog;
  private final NameLocks locks;

  private Lake(Path root, String defaultCatalog, org.apache.hadoop.conf.Configuration conf) throws IOException {
    FileSystem system = root.getFileSystem(conf);
    // A local file system would put a hidden checksum file beside each small file of ours.
    this.files = system instanceof ChecksumFileSystem local ? local.getRawFileSystem() : system;
    this.root = files.makeQualified(root);
    this.context = FileContext.getFileContext(this.root.toUri(), conf);
    this.defaultCatalog = Names.folder(defaultCatalog);
    this.locks = new NameLocks("file".equals(this.root.toUri().getScheme())
        ? java.nio.file.Path.of(this.root.toUri().getPath(), LOCKS) : null);
  }

  /** The lake of a session's conf; null when the conf names none. One object per root in this JVM. */
  static Lake of(SparkSession session) {
    SQLConf conf = session.sessionState().conf();
    String root = conf.getConfString(CONF, null);
    if (root == null) {
      return null;
    }
    return LAKES.computeIfAbsent(root, key -> io(() -> new Lake(
        new Path(key), conf.getConfString(DEFAULT_CATALOG_CONF, "main"), session.sessionState().newHadoopConf())));
  }

  /** Whoever makes, renames or drops something holds its name. */
  NameLocks locks() {
    return locks;
  }

  Path root() {
    return root;
  }

  String defaultCatalog() {
    return defaultCatalog;
  }

  Path catalog(String catalog) {
    return new Path(root, Names.folder(catalog));
  }

  Path schema(String catalog, String schema) {
    return new Path(catalog(catalog), Names.folder(schema));
  }

  /** Whether that catalog is there: one look at the file system. Two are always there. */
  boolean hasCatalog(String name) {
    if (!Names.valid(name)) {
      return false;
    }
    String folder = Names.folder(name);
    return folder.equals(defaultCatalog) || folder.equals(HIVE_METASTORE) || isFolder(catalog(folder));
  }

  boolean hasSchema(String catalog, String schema) {
    return Names.valid(schema) && (isFolder(schema(catalog, schema)) || schema.equalsIgnoreCase(DEFAULT_SCHEMA));
  }

  /** Names of the catalogs whose folder exists, sorted. */
  List<String> catalogs() {
    return folders(root);
  }

  /** Names of the schemas of a catalog, sorted; the default schema is always among them. */
  List<String> schemas(String catalog) {
    List<String> names = new java.util.ArrayList<>(folders(catalog(catalog)));
    if (!names.contains(DEFAULT_SCHEMA)) {
      names.add(DEFAULT_SCHEMA);
    }
    names.sort(Comparator.naturalOrder());
    return names;
  }

  private List<String> folders(Path path) {
    return Arrays.stream(list(path)).filter(FileStatus::isDirectory).map(s -> s.getPath().getName())
        .filter(Names::valid).sorted().toList();
  }

  /** What lies directly in a folder; empty when it does not exist. */
  FileStatus[] list(Path path) {
    return io(() -> {
      try {
        return files.listStatus(path);
      } catch (FileNotFoundException missing) {
        return new FileStatus[0];
      }
    });
  }

  /** A file's status, or null. */
  FileStatus status(Path path) {
    return io(() -> {
      try {
        return files.getFileStatus(path);
      } catch (FileNotFoundException missing) {
        return null;
      }
    });
  }

  boolean isFolder(Path path) {
    FileStatus status = status(path);
    return status != null && status.isDirectory();
  }

  /**
   * Makes a folder with what lies in it in one step: others see nothing of it or the whole.
   *
   * @param file name of a JSON file in it, which also keeps a folder of the same name from taking its place
   * @param folders names of folders in it
   * @return false when there is something of that name already
   */
  boolean make(Path path, String file, JsonNode content, String... folders) {
    inside(path);
    Path draft = draft(path);
    return io(() -> {
      try {
        for (String folder : folders) {
          files.mkdirs(new Path(draft, folder));
        }
        write(new Path(draft, file), content, true);
        return move(draft, path);
      } finally {
        files.delete(draft, true);
      }
    });
  }

  /** Makes a folder within a schema that is there. */
  void makeFolder(Path path) {
    inside(path);
    io(() -> files.mkdirs(path));
  }

  /** A hidden place beside another one, for what is not finished. */
  Path draft(Path path) {
    return hidden(path, ".new-");
  }

  private static Path hidden(Path path, String prefix) {
    return new Path(path.getParent(), prefix + UUID.randomUUID());
  }

  /** Renames a folder or file of the lake in one step. False when it is gone, or the target is there. */
  boolean move(Path from, Path to) {
    inside(from);
    inside(to);
    return io(() -> {
      try {
        context.rename(from, to);
        return true;
      } catch (FileNotFoundException | FileAlreadyExistsException changed) {
        return false;
      }
    });
  }

  /**
   * Deletes a folder or file of the lake. A folder is renamed to a hidden name first, so that others never see half of
   * it. Symbolic links in it are removed, not followed.
   */
  boolean delete(Path path) {
    inside(path);
    FileStatus status = status(path);
    if (status == null) {
      return false;
    }
    if (!status.isDirectory()) {
      return io(() -> files.delete(path, false));
    }
    Path hidden = hidden(path, ".dropped-");
    return move(path, hidden) && io(() -> files.delete(hidden, true));
  }

  /** The JSON object in a file, or null when there is no such file. */
  JsonNode read(Path path) {
    return io(() -> {
      try (InputStream in = files.open(path)) {
        return JSON.readTree(in);
      } catch (FileNotFoundException missing) {
        return null;
      }
    });
  }

  /**
   * Writes a JSON object in one step: other readers see the old file or the new one, never a part.
   *
   * @return false when the file is there and may not be replaced
   */
  boolean write(Path path, JsonNode value, boolean replace) {
    inside(path);
    Path draft = hidden(path, "." + path.getName() + "-");
    return io(() -> {
      try {
        try (OutputStream out = files.create(draft, false)) {
          JSON.writeValue(out, value);
        }
        context.rename(draft, path, replace ? Rename.OVERWRITE : Rename.NONE);
        return true;
      } catch (FileAlreadyExistsException there) {
        files.delete(draft, false);
        return false;
      }
    });
  }

  static ObjectMapper json() {
    return JSON;
  }

  /** Whether a location lies in the lake or holds it; such a place is never an external table's. */
  boolean overlaps(Path location) {
    String own = root.toUri().getPath() + "/";
    String other = location.toUri().getPath() + "/";
    return own.startsWith(other) || other.startsWith(own);
  }

  private void inside(Path path) {
    String base = root.toUri().getPath() + "/";
    String full = path.toUri().normalize().getPath();
    if (!full.startsWith(base) || full.length() == base.length()) {
      throw Problem.raise("Refused to change " + path + ": it is outside the lake " + root);
    }
  }

  /** Work on files that may fail. */
  interface Work<T> {
    T run() throws IOException;
  }

  static <T> T io(Work<T> work) {
    try {
      return work.run();
    } catch (IOException error) {
      throw Problem.ofFiles(error);
    }
  }
}
