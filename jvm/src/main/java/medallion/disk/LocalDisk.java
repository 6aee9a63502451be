package medallion.disk;

import org.apache.hadoop.fs.LocalFileSystem;

/**
 * Hadoop's local file system, which starts no processes: Hadoop's own runs {@code chmod} for each file that it makes, and
 * {@code ls} and {@code readlink} for what it looks at, unless its native library is installed. Set as {@code fs.file.impl}.
 */
public final class LocalDisk extends LocalFileSystem {
  public LocalDisk() {
    super(new RawDisk());
  }
}
