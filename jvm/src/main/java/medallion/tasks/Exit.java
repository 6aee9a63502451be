package medallion.tasks;

/** What {@code System.exit} in a task's JAR becomes: the end of its main method, not of the driver. */
public final class Exit extends Error {
  private static final long serialVersionUID = 1L;
  private final int status;

  private Exit(int status) {
    super("System.exit(" + status + ")");
    this.status = status;
  }

  int status() {
    return status;
  }

  /** Stands for {@code System.exit} and Scala's {@code sys.exit}. */
  public static void exit(int status) {
    throw new Exit(status);
  }

  /** Stands for {@code Runtime.exit} and {@code Runtime.halt}. */
  public static void exit(Runtime runtime, int status) {
    throw new Exit(status);
  }

  /** Stands for {@code scala.sys.package.exit}, which is a method of a singleton and has a type. */
  public static scala.runtime.Nothing$ exit(Object sys, int status) {
    throw new Exit(status);
  }

  /** Stands for {@code stop} and {@code close} of a session or context: the driver is shared with other tasks. */
  public static void stop(Object shared) {
    System.out.println("note: stop() does nothing here, the Spark driver is shared with other tasks");
  }
}
