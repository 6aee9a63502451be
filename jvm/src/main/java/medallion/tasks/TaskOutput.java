package medallion.tasks;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** {@code System.out} and {@code System.err} by thread: what a task's main method and its threads print goes to its log. */
final class TaskOutput extends PrintStream {
  private static final InheritableThreadLocal<PrintStream> OWN = new InheritableThreadLocal<>();
  private static boolean installed;

  private TaskOutput(PrintStream common) {
    super(new Switch(common), true, StandardCharsets.UTF_8);
  }

  static synchronized void install() {
    if (!installed) {
      System.setOut(new TaskOutput(System.out));
      System.setErr(new TaskOutput(System.err));
      installed = true;
    }
  }

  static void use(PrintStream stream) {
    if (stream == null) {
      OWN.remove();
    } else {
      OWN.set(stream);
    }
  }

  private static final class Switch extends OutputStream {
    private final PrintStream common;

    Switch(PrintStream common) {
      this.common = common;
    }

    private PrintStream stream() {
      PrintStream own = OWN.get();
      return own != null ? own : common;
    }

    @Override
    public void write(int octet) {
      stream().write(octet);
    }

    @Override
    public void write(byte[] octets, int offset, int length) {
      stream().write(octets, offset, length);
    }

    @Override
    public void flush() {
      stream().flush();
    }
  }
}
