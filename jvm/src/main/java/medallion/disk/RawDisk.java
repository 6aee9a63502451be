package medallion.disk;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/** The files of {@link LocalDisk}: permissions and links are asked of the system itself. */
final class RawDisk extends RawLocalFileSystem {
  /** The permissions from the highest bit of a mode to the lowest. */
  private static final PosixFilePermission[] BITS = PosixFilePermission.values();
  /** Permissions and the sticky bit of a mode, without the kind of file. */
  private static final int MODE = 01777;
  /** Java looks a name up in the system's files each time that it is asked for. */
  private static final Map<Object, String> OWNERS = new ConcurrentHashMap<>();
  private static final Map<Object, String> GROUPS = new ConcurrentHashMap<>();

  @Override
  public FileStatus getFileStatus(org.apache.hadoop.fs.Path place) throws IOException {
    File file = pathToFile(place);
    Path path = file.toPath();
    Map<String, Object> found = attributes(place, path);
    Object user = found.get("uid");
    Object group = found.get("gid");
    if (!OWNERS.containsKey(user) || !GROUPS.containsKey(group)) {
      PosixFileAttributes names = Files.readAttributes(path, PosixFileAttributes.class);
      OWNERS.put(user, names.owner().getName());
      GROUPS.put(group, names.group().getName());
    }
    return new FileStatus((Long) found.get("size"), (Boolean) found.get("isDirectory"), 1, getDefaultBlockSize(place),
        ((FileTime) found.get("lastModifiedTime")).toMillis(), ((FileTime) found.get("lastAccessTime")).toMillis(),
        new FsPermission((short) ((Integer) found.get("mode") & MODE)), OWNERS.get(user), GROUPS.get(group),
        new org.apache.hadoop.fs.Path(file.getPath()).makeQualified(getUri(), getWorkingDirectory()));
  }

  private static Map<String, Object> attributes(org.apache.hadoop.fs.Path place, Path path) throws IOException {
    try {
      return Files.readAttributes(path, "unix:mode,uid,gid,size,isDirectory,lastModifiedTime,lastAccessTime");
    } catch (IOException error) {
      throw Files.exists(path) ? error : missing(place);
    }
  }

  /** In the words of Hadoop. */
  private static FileNotFoundException missing(org.apache.hadoop.fs.Path place) {
    return new FileNotFoundException("File " + place + " does not exist");
  }

  @Override
  public FileStatus[] listStatus(org.apache.hadoop.fs.Path place) throws IOException {
    return pathToFile(place).isFile() ? new FileStatus[] {getFileStatus(place)} : super.listStatus(place);
  }

  @Override
  public FileStatus getFileLinkStatus(org.apache.hadoop.fs.Path place) throws IOException {
    return Files.isSymbolicLink(pathToFile(place).toPath()) ? super.getFileLinkStatus(place) : getFileStatus(place);
  }

  @Override
  public void setPermission(org.apache.hadoop.fs.Path place, FsPermission asked) throws IOException {
    if (asked.getStickyBit()) {
      // Java has no name for it.
      super.setPermission(place, asked);
      return;
    }
    Path path = pathToFile(place).toPath();
    try {
      Files.setPosixFilePermissions(path, permissions(asked));
    } catch (IOException error) {
      throw Files.exists(path) ? error : missing(place);
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
}
