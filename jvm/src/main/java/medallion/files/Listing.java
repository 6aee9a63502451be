package medallion.files;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobFilter;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.sql.catalyst.csv.CSVOptions;
import org.apache.spark.sql.classic.SparkSession;
import scala.jdk.javaapi.CollectionConverters;

/** What Auto Loader and COPY INTO look at before Spark reads: which files there are, and the headers of CSV files. */
public final class Listing {
  private Listing() {}

  /**
   * The files of a path, in one text: a line {@code milliseconds size path} each, the oldest first. Names that begin with
   * {@code _} or a dot are hidden, as for Spark.
   *
   * @param path a file, a folder or a pattern of either
   * @param glob a pattern for names of files; empty = all
   */
  public static String files(SparkSession session, String path, String glob) throws IOException {
    Configuration hadoop = session.sessionState().newHadoopConf();
    Path root = new Path(path);
    FileSystem system = root.getFileSystem(hadoop);
    FileStatus[] found = system.globStatus(root);
    if (found == null) {
      throw new FileNotFoundException(path);
    }
    GlobFilter names = new GlobFilter(glob.isEmpty() ? "*" : glob);
    List<FileStatus> files = new ArrayList<>();
    for (FileStatus status : found) {
      if (status.isFile()) {
        add(files, status, names);
      } else {
        walk(system, status.getPath(), names, files);
      }
    }
    files.sort(Comparator.comparingLong(FileStatus::getModificationTime).thenComparing(FileStatus::getPath));
    StringBuilder text = new StringBuilder();
    for (FileStatus file : files) {
      text.append(file.getModificationTime()).append(' ').append(file.getLen()).append(' ').append(file.getPath())
          .append('\n');
    }
    return text.toString();
  }

  private static void walk(FileSystem system, Path folder, GlobFilter names, List<FileStatus> files)
      throws IOException {
    RemoteIterator<LocatedFileStatus> entries;
    try {
      entries = system.listLocatedStatus(folder);
    } catch (FileNotFoundException gone) { // removed since the folder above was listed
      return;
    }
    while (entries.hasNext()) {
      FileStatus entry = entries.next();
      if (entry.isFile()) {
        add(files, entry, names);
      } else if (!hidden(entry.getPath())) {
        walk(system, entry.getPath(), names, files);
      }
    }
  }

  private static void add(List<FileStatus> files, FileStatus file, GlobFilter names) {
    if (!hidden(file.getPath()) && names.accept(file.getPath())) {
      files.add(file);
    }
  }

  private static boolean hidden(Path path) {
    String name = path.getName();
    return name.startsWith(".") || name.startsWith("_") && name.indexOf('=') < 0;
  }

  /** Names of the columns of CSV files: a list for each file. */
  public static List<List<String>> headers(SparkSession session, List<String> paths, Map<String, String> options)
      throws IOException {
    CSVOptions csv = NamedCsv.csvOptions(session,
        scala.collection.immutable.Map.from(CollectionConverters.asScala(options)));
    Configuration hadoop = session.sessionState().newHadoopConf();
    List<List<String>> headers = new ArrayList<>();
    for (String path : paths) {
      headers.add(List.of(Headers.of(new Path(path), csv, hadoop)));
    }
    return headers;
  }
}
