package medallion.disk;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.fs.statistics.BufferedIOStatisticsOutputStream;
import org.apache.hadoop.util.Progressable;

/**
 * The files of {@link LocalDisk}: permissions and links are asked of the system itself.
 *
 * <p>Other tasks, drivers and programs make, rename and remove the same files at any time. So nothing here looks first and acts
 * then: each step is one call of the system, and its answer decides ({@link Failure}).
 */
final class RawDisk extends RawLocalFileSystem {
  /** The permissions from the highest bit of a mode to the lowest. */
  private static final PosixFilePermission[] BITS = PosixFilePermission.values();
  /** Permissions and the sticky bit of a mode, without the kind of file. */
  private static final int MODE = 01777;
  /** How often a step is done again whose ground another process has just changed. */
  private static final int TRIES = 100;
  /** Java looks a name up in the system's files each time that it is asked for. */
  private static final Map<Object, String> OWNERS = new ConcurrentHashMap<>();
  private static final Map<Object, String> GROUPS = new ConcurrentHashMap<>();

  private LakeFolders lake = LakeFolders.of(null);

  @Override
  public void initialize(URI address, Configuration conf) throws IOException {
    super.initialize(address, conf);
    lake = LakeFolders.of(conf);
  }

  private java.nio.file.Path path(Path place) {
    return pathToFile(place).toPath();
  }

  // ---- looking

  @Override
  public FileStatus getFileStatus(Path place) throws IOException {
    java.nio.file.Path path = path(place);
    Map<String, Object> found = attributes(place, path, "mode,uid,gid,size,isDirectory,lastModifiedTime,lastAccessTime");
    Object user = found.get("uid");
    Object group = found.get("gid");
    if (!OWNERS.containsKey(user) || !GROUPS.containsKey(group)) {
      Map<String, Object> names = attributes(place, path, "uid,gid,owner,group"); // of one look: the file may be another now
      OWNERS.put(names.get("uid"), ((UserPrincipal) names.get("owner")).getName());
      GROUPS.put(names.get("gid"), ((GroupPrincipal) names.get("group")).getName());
    }
    return new FileStatus((Long) found.get("size"), (Boolean) found.get("isDirectory"), 1, getDefaultBlockSize(place),
        ((FileTime) found.get("lastModifiedTime")).toMillis(), ((FileTime) found.get("lastAccessTime")).toMillis(),
        new FsPermission((short) ((Integer) found.get("mode") & MODE)), OWNERS.getOrDefault(user, String.valueOf(user)),
        GROUPS.getOrDefault(group, String.valueOf(group)),
        new Path(path.toString()).makeQualified(getUri(), getWorkingDirectory()));
  }

  private static Map<String, Object> attributes(Path place, java.nio.file.Path path, String names) throws IOException {
    try {
      return Files.readAttributes(path, "unix:" + names);
    } catch (IOException error) {
      throw Failure.of(place, error);
    }
  }

  @Override
  public FileStatus[] listStatus(Path place) throws IOException {
    List<FileStatus> found = new ArrayList<>();
    try (DirectoryStream<java.nio.file.Path> entries = Files.newDirectoryStream(path(place))) {
      for (java.nio.file.Path entry : entries) {
        try {
          found.add(getFileStatus(new Path(place, new Path(null, null, entry.getFileName().toString()))));
        } catch (FileNotFoundException gone) {
          // removed since the list was read
        }
      }
    } catch (NotDirectoryException file) {
      return new FileStatus[] {getFileStatus(place)};
    } catch (DirectoryIteratorException error) {
      throw Failure.of(place, error.getCause());
    } catch (IOException error) {
      throw Failure.of(place, error);
    }
    return found.toArray(FileStatus[]::new);
  }

  @Override
  public FileStatus getFileLinkStatus(Path place) throws IOException {
    return Files.isSymbolicLink(path(place)) ? super.getFileLinkStatus(place) : getFileStatus(place);
  }

  // ---- making

  @Override
  public boolean mkdirs(Path place) throws IOException {
    return mkdirs(place, FsPermission.getDirDefault());
  }

  @Override
  public boolean mkdirs(Path place, FsPermission permission) throws IOException {
    java.nio.file.Path path = path(place);
    for (int tries = 1; !Files.isDirectory(path); tries++) {
      lake.mayMake(path);
      try {
        Files.createDirectory(path);
        setPermission(place, permission.applyUMask(FsPermission.getUMask(getConf())));
        return true;
      } catch (FileAlreadyExistsException there) {
        if (Files.isRegularFile(path)) {
          throw new org.apache.hadoop.fs.FileAlreadyExistsException(
              "Destination exists and is not a directory: " + path);
        }
        again(place, there, tries); // made by another, or removed since
      } catch (NoSuchFileException | FileNotFoundException gone) {
        again(place, gone, tries);
        if (place.getParent() != null) {
          mkdirs(place.getParent());
        }
      } catch (IOException error) {
        throw Failure.ofMaking(place, error);
      }
    }
    return true;
  }

  private static void again(Path place, IOException error, int tries) throws IOException {
    if (tries == TRIES) {
      throw Failure.ofMaking(place, error);
    }
  }

  @Override
  public FSDataOutputStream create(Path place, boolean overwrite, int buffer, short replication, long block,
      Progressable progress) throws IOException {
    return create(place, FsPermission.getFileDefault(), overwrite, true, buffer);
  }

  @Override
  public FSDataOutputStream create(Path place, FsPermission permission, boolean overwrite, int buffer, short replication,
      long block, Progressable progress) throws IOException {
    return create(place, permission, overwrite, true, buffer);
  }

  @Override
  public FSDataOutputStream createNonRecursive(Path place, FsPermission permission, boolean overwrite, int buffer,
      short replication, long block, Progressable progress) throws IOException {
    return create(place, permission, overwrite, false, buffer);
  }

  /** Makes a file. Of several that make the same one without {@code overwrite}, one succeeds. */
  FSDataOutputStream create(Path place, FsPermission permission, boolean overwrite, boolean parents, int buffer)
      throws IOException {
    if (parents && place.getParent() != null) {
      mkdirs(place.getParent());
    }
    if (!overwrite) {
      try {
        Files.createFile(path(place));
      } catch (IOException error) {
        throw Failure.ofMaking(place, error);
      }
    }
    return new FSDataOutputStream(
        new BufferedIOStatisticsOutputStream(createOutputStreamWithMode(place, false, permission), buffer, true), statistics);
  }

  @Override
  public void setPermission(Path place, FsPermission asked) throws IOException {
    if (asked.getStickyBit()) {
      // Java has no name for it.
      super.setPermission(place, asked);
      return;
    }
    try {
      Files.setPosixFilePermissions(path(place), permissions(asked));
    } catch (IOException error) {
      throw Failure.of(place, error);
    }
  }

  private static Set<PosixFilePermission> permissions(FsPermission asked) {
    Set<PosixFilePermission> found = EnumSet.noneOf(PosixFilePermission.class);
    for (PosixFilePermission bit : BITS) {
      if ((asked.toShort() >> (BITS.length - 1 - bit.ordinal()) & 1) == 1) {
        found.add(bit);
      }
    }
    return found;
  }

  // ---- moving and removing

  /**
   * Renames in one step, as {@code FileContext} promises: without {@code OVERWRITE} an existing target stays as it is, also one
   * that is made at the same moment; Delta's commits rest on that. With it, the target is the old file or the new one at any time.
   */
  @Override
  @Deprecated
  protected void rename(Path from, Path to, Rename... options) throws IOException {
    if (from.equals(to)) {
      throw new org.apache.hadoop.fs.FileAlreadyExistsException("The source " + from + " and destination " + to + " are the same");
    }
    if (Arrays.asList(options).contains(Rename.OVERWRITE)) {
      Move.replace(from, path(from), to, path(to));
    } else if (!Move.toFreeName(from, path(from), to, path(to))) {
      super.rename(from, to, options);
    }
  }

  @Override
  public boolean delete(Path place, boolean recursive) throws IOException {
    try {
      return recursive ? removed(path(place)) : Files.deleteIfExists(path(place));
    } catch (IOException error) {
      IOException told = Failure.of(place, error);
      if (told instanceof FileNotFoundException) {
        return false;
      }
      throw told;
    }
  }

  /** Removes a file, a link or a folder with all in it, also with what is added meanwhile. Whether there was one. */
  private static boolean removed(java.nio.file.Path path) throws IOException {
    for (int tries = 1;; tries++) {
      try {
        return Files.deleteIfExists(path);
      } catch (java.nio.file.DirectoryNotEmptyException full) {
        if (tries == TRIES) {
          throw full;
        }
        empty(path);
      }
    }
  }

  private static void empty(java.nio.file.Path folder) throws IOException {
    try (DirectoryStream<java.nio.file.Path> entries = Files.newDirectoryStream(folder)) {
      for (java.nio.file.Path entry : entries) {
        removed(entry);
      }
    } catch (NoSuchFileException | NotDirectoryException gone) {
      // removed by another meanwhile
    } catch (DirectoryIteratorException error) {
      throw error.getCause();
    }
  }
}
