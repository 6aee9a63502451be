package medallion.disk;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.security.AccessControlException;

/**
 * What the system answered, as the error that Hadoop's contract names for it. The answer alone decides: a second look at the
 * file may find what another process has made or removed since.
 */
final class Failure {
  private static final int LONGEST_NAME = 255;
  private static final int LONGEST_PATH = 4095;

  private Failure() {}

  /** The error of a look at a place, or of a change to something that must be there. */
  static IOException of(org.apache.hadoop.fs.Path place, IOException error) {
    return error instanceof FileSystemException answer ? told(place, answer) : error;
  }

  private static IOException told(org.apache.hadoop.fs.Path place, FileSystemException answer) {
    if (answer instanceof NoSuchFileException) {
      return caused(new FileNotFoundException("File " + place + " does not exist"), answer);
    }
    if (answer instanceof AccessDeniedException) {
      return caused(new AccessControlException("Permission denied: " + place), answer);
    }
    if (answer instanceof FileAlreadyExistsException) {
      return caused(new org.apache.hadoop.fs.FileAlreadyExistsException("File already exists: " + place), answer);
    }
    if (answer instanceof DirectoryNotEmptyException) {
      return caused(new PathIsNotEmptyDirectoryException(place.toString()), answer);
    }
    return cannotBe(Path.of(answer.getFile()))
        ? caused(new FileNotFoundException("File " + place + " does not exist"), answer) : answer;
  }

  /** The error of making a file or folder at a place: what is in the way above it has a name of its own. */
  static IOException ofMaking(org.apache.hadoop.fs.Path place, IOException error) {
    boolean special = error instanceof NoSuchFileException || error instanceof AccessDeniedException
        || error instanceof FileAlreadyExistsException;
    return error instanceof FileSystemException answer && !special && belowFile(Path.of(answer.getFile()))
        ? caused(new ParentNotDirectoryException("Parent path is not a directory: " + place.getParent()), error)
        : of(place, error);
  }

  private static <E extends IOException> E caused(E error, Throwable cause) {
    error.initCause(cause);
    return error;
  }

  /** Whether nothing can be at a path: it goes through a file, around in a circle of links, or is too long. */
  private static boolean cannotBe(Path path) {
    return belowFile(path) || Files.isSymbolicLink(path) || length(path) > LONGEST_PATH
        || length(path.getFileName()) > LONGEST_NAME;
  }

  private static int length(Path path) {
    return path == null ? 0 : path.toString().getBytes(StandardCharsets.UTF_8).length;
  }

  private static boolean belowFile(Path path) {
    for (Path above = path.getParent(); above != null; above = above.getParent()) {
      if (Files.isRegularFile(above)) {
        return true;
      }
    }
    return false;
  }
}
