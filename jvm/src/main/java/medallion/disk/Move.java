package medallion.disk;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Renames of files and folders on the local disk, each in one step. */
final class Move {
  private Move() {}

  /** A file takes the place of another one, or a folder that of an empty one; what was there before stays until then. */
  static void replace(org.apache.hadoop.fs.Path from, Path source, org.apache.hadoop.fs.Path to, Path target)
      throws IOException {
    try {
      Files.move(source, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (NoSuchFileException gone) {
      throw Failure.of(missing(from, source, to), gone);
    } catch (FileSystemException error) {
      if (Files.isDirectory(target)) {
        throw new IOException(Files.isDirectory(source) ? "rename cannot overwrite non empty destination directory " + to
            : "Source " + from + " Destination " + to + " both should be either file or directory", error);
      }
      throw Failure.ofMaking(to, error);
    }
  }

  /**
   * A file or folder takes a name that must be free. False when the disk cannot do it in one step: it has no hard links, or the
   * two places are on different disks.
   */
  static boolean toFreeName(org.apache.hadoop.fs.Path from, Path source, org.apache.hadoop.fs.Path to, Path target)
      throws IOException {
    try {
      if (Files.isDirectory(source, LinkOption.NOFOLLOW_LINKS)) {
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
          throw taken(to);
        }
        Files.move(source, target, StandardCopyOption.ATOMIC_MOVE); // never replaces a folder that holds something
      } else {
        Files.createLink(target, source); // fails where something is, unlike a rename
        Files.deleteIfExists(source);
      }
      return true;
    } catch (FileAlreadyExistsException there) {
      throw taken(to);
    } catch (NoSuchFileException gone) {
      throw Failure.of(missing(from, source, to), gone);
    } catch (UnsupportedOperationException none) {
      return false;
    } catch (FileSystemException error) {
      if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
        throw taken(to);
      }
      return false;
    }
  }

  private static IOException taken(org.apache.hadoop.fs.Path to) {
    return new org.apache.hadoop.fs.FileAlreadyExistsException("rename destination " + to + " already exists.");
  }

  /** Which of the two is missing: the source, or the folder that the target would be in. For the words of the error only. */
  private static org.apache.hadoop.fs.Path missing(org.apache.hadoop.fs.Path from, Path source,
      org.apache.hadoop.fs.Path to) {
    return Files.exists(source, LinkOption.NOFOLLOW_LINKS) ? to.getParent() : from;
  }
}
