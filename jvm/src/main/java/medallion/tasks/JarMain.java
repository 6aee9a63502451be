package medallion.tasks;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.classic.SparkSession;

/** Runs the main class of a task's JAR in the driver that it shares with other tasks. */
public final class JarMain {
  private static final Map<String, Running> RUNNING = new ConcurrentHashMap<>();

  private JarMain() {}

  private record Running(Thread thread, ClassLoader classes, SparkSession session) {}

  /**
   * Runs {@code main(String[])} in the calling thread, which carries the task's session, job tag and pool.
   *
   * @param tag the task's job tag.
   * @param output where standard output and standard error go; a pipe that the task's process reads.
   * @return nothing for a success, else: kind of the failure, message, stack trace without frames of the runner.
   */
  public static String[] run(SparkSession session, String tag, String[] jars, String name, String[] arguments, String output)
      throws IOException {
    TaskJobs.watch(session.sparkContext());
    TaskOutput.install();
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    RUNNING.put(tag, new Running(thread, null, session));
    try (PrintStream stream = new PrintStream(new FileOutputStream(output), true, StandardCharsets.UTF_8);
        UserClasses classes = new UserClasses(addresses(jars), before)) {
      for (String jar : jars) {
        session.addArtifact(new File(jar).toURI()); // executors load the classes of closures from there
      }
      RUNNING.put(tag, new Running(thread, classes, session));
      if (TaskJobs.hasEnded(tag)) {
        return new String[] {"Killed", "the task was cancelled before its main class ran", ""};
      }
      TaskOutput.use(stream);
      return session.artifactManager().withResources(() -> {
        thread.setContextClassLoader(classes);
        return scala.Console.withOut(stream, () -> scala.Console.withErr(stream, () -> call(classes, name, arguments)));
      });
    } finally {
      TaskOutput.use(null);
      RUNNING.remove(tag);
      thread.setContextClassLoader(before);
      Thread.interrupted();
    }
  }

  /**
   * Interrupts the main method of a task that was cancelled, the threads that it started, and the jobs of its session. Threads
   * take their class loader from the one that starts them.
   */
  public static void cancel(String tag) {
    Running running = RUNNING.get(tag);
    if (running != null) {
      running.thread.interrupt();
      TaskJobs.end(tag, true);
      for (Thread each : Thread.getAllStackTraces().keySet()) {
        if (running.classes != null && each.getContextClassLoader() == running.classes) {
          each.interrupt();
        }
      }
      running.session.interruptAll();
    }
  }

  private static String[] call(ClassLoader classes, String name, String[] arguments) {
    Method main;
    try {
      main = Class.forName(name, true, classes).getMethod("main", String[].class);
    } catch (ClassNotFoundException error) {
      boolean own = name.equals(error.getMessage());
      return new String[] {"NoMainClass", own ? "class " + name + " is in none of the task's JARs" : error.toString(), ""};
    } catch (NoSuchMethodException error) {
      return new String[] {"NoMainClass", "class " + name + " has no method main(String[])", ""};
    } catch (LinkageError error) {
      return failure(error);
    }
    if (!Modifier.isStatic(main.getModifiers())) {
      return new String[] {"NoMainClass", "main of " + name + " is not static", ""};
    }
    try {
      main.invoke(null, (Object) arguments);
      return new String[0];
    } catch (InvocationTargetException error) {
      return failure(error.getCause());
    } catch (IllegalAccessException error) {
      return new String[] {"NoMainClass", "class " + name + " is not public", ""};
    }
  }

  private static String[] failure(Throwable error) {
    if (error instanceof Exit exit && exit.status() == 0) {
      return new String[0];
    }
    for (Throwable each = error; each != null; each = each.getCause() == each ? null : each.getCause()) {
      each.setStackTrace(ofUser(each.getStackTrace()));
    }
    StringWriter text = new StringWriter();
    error.printStackTrace(new PrintWriter(text, true));
    String kind = error instanceof Exit ? "Exit" : error.getClass().getName();
    return new String[] {kind, String.valueOf(error.getMessage()), text.toString()};
  }

  /** The frames down to the user's main: below come reflection and this class. */
  private static StackTraceElement[] ofUser(StackTraceElement[] frames) {
    int end = frames.length;
    for (int index = 0; index < frames.length; index++) {
      if (frames[index].getClassName().startsWith(JarMain.class.getName())) {
        end = index;
        break;
      }
    }
    int start = 0;
    while (start < end && frames[start].getClassName().equals(Exit.class.getName())) {
      start++;
    }
    while (end > start && frames[end - 1].getClassName().matches("(jdk|java)\\..*reflect\\..*")) {
      end--;
    }
    return Arrays.copyOfRange(frames, start, end);
  }

  private static URL[] addresses(String[] jars) throws MalformedURLException {
    URL[] places = new URL[jars.length];
    for (int index = 0; index < jars.length; index++) {
      places[index] = new File(jars[index]).toURI().toURL();
    }
    return places;
  }
}
