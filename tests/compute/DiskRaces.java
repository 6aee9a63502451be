package medallion.disk;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;

/** What test_local_disk_races.py runs: {@code name folder [arguments]}; prints what it found, a line each. */
public final class DiskRaces {
  private static final int THREADS = 8;

  private DiskRaces() {}

  public static void main(String[] arguments) throws Exception {
    Configuration conf = new Configuration(false);
    conf.set("fs.file.impl", "medallion.disk.LocalDisk");
    conf.set("fs.AbstractFileSystem.file.impl", "medallion.disk.LocalDiskContext");
    Path folder = new Path(arguments[1]);
    LocalDisk system = new LocalDisk();
    system.initialize(java.net.URI.create("file:///"), conf);
    FileContext context = FileContext.getFileContext(java.net.URI.create("file:///"), conf);
    switch (arguments[0]) {
      case "answers" -> answers(folder);
      case "contract" -> contract(system, context, folder);
      case "churn" -> churn(system, folder, Double.parseDouble(arguments[2]));
      case "replace" -> replace(system, context, folder, Double.parseDouble(arguments[2]));
      case "commits" -> commits(context, folder, arguments[2], Integer.parseInt(arguments[3]));
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  /** The system's answer stands, whatever is at the place by now: the folder exists all the time. */
  private static void answers(Path folder) throws IOException {
    String name = folder.toUri().getPath();
    Files.createDirectories(java.nio.file.Path.of(name));
    for (IOException error : List.of(new NoSuchFileException(name), new AccessDeniedException(name),
        new java.nio.file.FileAlreadyExistsException(name), new DirectoryNotEmptyException(name),
        new java.nio.file.FileSystemException(name, null, "Input/output error"), new IOException("other"))) {
      System.out.println(error.getClass().getSimpleName() + " " + Failure.of(folder, error).getClass().getName());
    }
  }

  private static void told(String name, Callable<?> work) {
    Object found;
    try {
      found = work.call();
    } catch (Exception error) {
      found = error.getClass().getName();
    }
    System.out.println(name + " " + found);
  }

  private static void contract(FileSystem system, FileContext context, Path folder) throws Exception {
    system.mkdirs(new Path(folder, "full"));
    for (String name : List.of("file", "other", "full/file")) {
      system.create(new Path(folder, name)).close();
    }
    Path file = new Path(folder, "file");
    Path none = new Path(folder, "none");
    Path full = new Path(folder, "full");
    told("status of nothing", () -> system.getFileStatus(none));
    told("status below a file", () -> system.getFileStatus(new Path(file, "below")));
    told("status of a name that is too long", () -> system.getFileStatus(new Path(folder, "x".repeat(300))));
    told("list of nothing", () -> system.listStatus(none));
    told("list below a file", () -> system.listStatus(new Path(file, "below")));
    told("list of a file", () -> system.listStatus(file).length);
    told("folder on a file", () -> system.mkdirs(file));
    told("folder below a file", () -> system.mkdirs(new Path(file, "below")));
    told("folders two deep below a file", () -> system.mkdirs(new Path(file, "below/deep")));
    told("folder that is there", () -> system.mkdirs(full));
    told("delete nothing", () -> system.delete(none, false));
    told("delete below a file", () -> system.delete(new Path(file, "below"), true));
    told("delete a full folder", () -> system.delete(full, false));
    told("file that is there", () -> system.create(file, false));
    told("file below a file", () -> system.create(new Path(file, "below"), false));
    told("file without its folder", () -> context.create(new Path(none, "x"), EnumSet.of(CreateFlag.CREATE)));
    told("and the folder", () -> system.exists(none));
    told("rename nothing", () -> renamed(context, none, new Path(folder, "free"), Rename.NONE));
    told("rename to no folder", () -> renamed(context, file, new Path(none, "x"), Rename.NONE));
    told("rename to a file", () -> renamed(context, file, new Path(folder, "other"), Rename.NONE));
    told("rename a folder to a folder", () -> renamed(context, full, new Path(folder, "full2"), Rename.NONE));
    told("rename a file to a folder", () -> renamed(context, file, new Path(folder, "full2"), Rename.OVERWRITE));
    told("replace a file", () -> renamed(context, file, new Path(folder, "other"), Rename.OVERWRITE));
    told("and the source", () -> system.exists(file));
    told("delete all", () -> system.delete(folder, true));
  }

  private static boolean renamed(FileContext context, Path from, Path to, Rename option) throws IOException {
    context.rename(from, to, option);
    return true;
  }

  /** Work of several threads until it is over; the errors of all, by class. */
  private static Set<String> together(double seconds, List<Callable<?>> works) throws Exception {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    Set<String> errors = new ConcurrentSkipListSet<>();
    ExecutorService threads = Executors.newFixedThreadPool(works.size());
    List<Future<?>> running = new ArrayList<>();
    for (Callable<?> work : works) {
      running.add(threads.submit(() -> {
        while (System.nanoTime() < end) {
          try {
            work.call();
          } catch (Exception error) {
            errors.add(error.getClass().getName() + (error instanceof FileNotFoundException ? "" : ": " + error));
          }
        }
      }));
    }
    for (Future<?> one : running) {
      one.get();
    }
    threads.shutdown();
    return new TreeSet<>(errors);
  }

  /** Makes, lists, looks at and removes the same folders from many threads. */
  private static void churn(FileSystem system, Path folder, double seconds) throws Exception {
    Path outer = new Path(folder, "catalog");
    Path inner = new Path(outer, "schema/table");
    Path file = new Path(inner, "part");
    List<Callable<?>> works = new ArrayList<>();
    for (int i = 0; i < THREADS / 4; i++) {
      works.add(() -> system.mkdirs(inner));
      works.add(() -> {
        system.create(file, true).close();
        return null;
      });
      works.add(() -> {
        for (FileStatus found : system.listStatus(new Path(outer, "schema"))) {
          system.listStatus(found.getPath());
        }
        return system.getFileStatus(outer);
      });
      works.add(() -> system.delete(outer, true));
    }
    together(seconds, works).forEach(System.out::println);
  }

  /** Replaces a file while others read it: it is there and whole at any time. */
  private static void replace(FileSystem system, FileContext context, Path folder, double seconds) throws Exception {
    FileSystem raw = ((LocalDisk) system).getRawFileSystem();
    Path target = new Path(folder, "view.json");
    raw.mkdirs(folder);
    AtomicInteger number = new AtomicInteger();
    Callable<?> write = () -> {
      Path draft = new Path(folder, ".draft-" + number.incrementAndGet());
      try (var out = raw.create(draft, false)) {
        out.write(new byte[100]);
      }
      context.rename(draft, target, Rename.OVERWRITE);
      return null;
    };
    write.call();
    Callable<?> read = () -> {
      try (var in = raw.open(target)) {
        int length = in.readAllBytes().length;
        if (length != 100) {
          throw new IOException("read " + length + " bytes");
        }
      }
      return null;
    };
    together(seconds, List.of(write, write, read, read)).forEach(System.out::println);
  }

  /** Commits versions as Delta does, from several threads; prints the versions that this process won. */
  private static void commits(FileContext context, Path folder, String who, int versions) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS / 2);
    List<Future<?>> running = new ArrayList<>();
    for (int thread = 0; thread < THREADS / 2; thread++) {
      String draft = ".draft-" + who + "-" + thread;
      running.add(threads.submit(() -> {
        for (int version = 0; version < versions; version++) {
          Path temporary = new Path(folder, draft + "-" + version);
          context.create(temporary, EnumSet.of(CreateFlag.CREATE)).close();
          try {
            context.rename(temporary, new Path(folder, version + ".json"), Rename.NONE);
            synchronized (System.out) {
              System.out.println(version);
            }
          } catch (org.apache.hadoop.fs.FileAlreadyExistsException lost) {
            context.delete(temporary, false);
          }
        }
        return null;
      }));
    }
    for (Future<?> one : running) {
      one.get();
    }
    threads.shutdown();
  }
}
