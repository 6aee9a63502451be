package medallion.catalog;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Who may change which names of a lake: statements that make, rename or drop a catalog, schema, table, view or volume go one
 * after another where they touch the same name, so that each finds what the one before it left. Whoever changes a table
 * shares its schema and its catalog with others, and keeps out who drops those. Readers and writers of data never wait.
 *
 * <p>The locks hold in this JVM and, when the lake is on a local disk, between all JVMs on it: by locks on files in
 * {@code <lake>/.locks}, which the system lets go when a process ends. Names share a fixed number of files.
 */
final class NameLocks {
  private static final int STRIPES = 64;
  private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);
  private static final long LONGEST_PAUSE = 20;

  private final Path folder;
  private final Map<String, Gate> gates = new ConcurrentHashMap<>();

  /** @param folder where the files lie; null = the locks hold in this JVM only */
  NameLocks(Path folder) {
    this.folder = folder;
  }

  /** Work on names, which may fail. */
  interface Work<T> {
    T run() throws Exception;
  }

  /** Runs work that makes or drops a catalog. */
  <T> T catalog(String catalog, Work<T> work) {
    return holding(new TreeMap<>(Map.of(key('1', catalog), true)), work);
  }

  /** Runs work that makes, changes or drops a schema. */
  <T> T schema(String catalog, String schema, Work<T> work) {
    return holding(new TreeMap<>(Map.of(key('1', catalog), false, key('2', catalog, schema), true)), work);
  }

  /** Runs work that makes, renames or drops tables, views or volumes. */
  <T> T names(Work<T> work, Place... places) {
    TreeMap<String, Boolean> keys = new TreeMap<>();
    for (Place place : places) {
      keys.put(key('1', place.catalog()), false);
      keys.put(key('2', place.catalog(), place.schema()), false);
      keys.put(key('3', place.catalog(), place.schema(), place.name()), true);
    }
    return holding(keys, work);
  }

  /** Files are taken in the order of their names, catalogs first: so no two statements wait for each other. */
  private static String key(char level, String... names) {
    return level + "-" + Math.floorMod(String.join(".", names).toLowerCase(Locale.ROOT).hashCode(), STRIPES);
  }

  private <T> T holding(TreeMap<String, Boolean> keys, Work<T> work) {
    Deque<Runnable> held = new ArrayDeque<>();
    try {
      for (Map.Entry<String, Boolean> key : keys.entrySet()) {
        held.push(gates.computeIfAbsent(key.getKey(), Gate::new).enter(key.getValue()));
      }
      return work.run();
    } catch (Exception error) {
      throw Problem.sneak(error);
    } finally {
      held.forEach(Runnable::run);
    }
  }

  /** One lock: of this JVM's threads among themselves, and of all of them towards other JVMs. */
  private final class Gate {
    private final String name;
    private final ReentrantReadWriteLock threads = new ReentrantReadWriteLock(true);
    private int holders;
    private FileChannel file;

    Gate(String name) {
      this.name = name;
    }

    /** Waits for the lock. What gives it back. */
    Runnable enter(boolean alone) throws IOException, InterruptedException {
      long deadline = System.nanoTime() + PATIENCE;
      Lock lock = alone ? threads.writeLock() : threads.readLock();
      if (!lock.tryLock(PATIENCE, TimeUnit.NANOSECONDS)) {
        throw busy();
      }
      try {
        take(alone, deadline);
      } catch (IOException | InterruptedException | RuntimeException error) {
        lock.unlock();
        throw error;
      }
      return () -> {
        leave();
        lock.unlock();
      };
    }

    private synchronized void take(boolean alone, long deadline) throws IOException, InterruptedException {
      if (holders == 0 && folder != null) {
        file = opened();
        try {
          // Asked for again and again: the system takes waiting threads of two processes for a deadlock where there is none.
          for (long pause = 1; file != null && !got(alone); pause = Math.min(2 * pause, LONGEST_PAUSE)) {
            if (System.nanoTime() > deadline) {
              throw busy();
            }
            Thread.sleep(pause);
          }
        } catch (InterruptedException | RuntimeException error) {
          file.close();
          throw error;
        }
      }
      holders++;
    }

    /** The file; null where none can be made: then the statement itself will say so. */
    private FileChannel opened() {
      try {
        Files.createDirectories(folder);
        return FileChannel.open(folder.resolve(name), StandardOpenOption.CREATE, StandardOpenOption.READ,
            StandardOpenOption.WRITE);
      } catch (IOException unusable) {
        return null;
      }
    }

    private boolean got(boolean alone) {
      try {
        return file.tryLock(0, Long.MAX_VALUE, !alone) != null;
      } catch (IOException unsupported) {
        return true; // a disk without locks
      }
    }

    private synchronized void leave() {
      if (--holders == 0 && file != null) {
        Lake.io(() -> {
          file.close();
          return null;
        });
        file = null;
      }
    }

    private RuntimeException busy() {
      return Problem.raise("Another statement has held names of the lake for a minute (" + name + "): try again when it has ended");
    }
  }
}
