package medallion.tasks;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.streaming.runtime.IncrementalExecution;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd;
import org.apache.spark.sql.streaming.StreamingQueryListener.QueryProgressEvent;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Keeps what queries observed about their rows, for a task that asks later. A pipeline's flows run in the driver where nobody
 * waits for their metrics, so the driver's listener bus is the only place to hear of them.
 *
 * <p>Only observations whose name starts with {@code medallion/<update>/} are kept. A batch query counts once, the last time it
 * ran; the micro-batches of a stream add up.
 */
public final class Measures extends SparkListener {
  private static final String PREFIX = "medallion/";
  private static final long DRAIN_MILLIS = 20_000;
  private static final Map<String, Map<String, long[]>> KEPT = new ConcurrentHashMap<>();
  private static Measures listener;

  private Measures() {}

  /** Listens from now on for observations of an update. */
  public static synchronized void start(SparkContext context, String update) {
    KEPT.put(update, new ConcurrentHashMap<>());
    if (listener == null) {
      listener = new Measures();
      context.addSparkListener(listener);
    }
  }

  /** What was observed in an update, as lines {@code name TAB number TAB number …}, once all events have come. */
  public static String read(SparkContext context, String update) {
    try {
      context.listenerBus().waitUntilEmpty(DRAIN_MILLIS);
    } catch (java.util.concurrent.TimeoutException late) {
      // What has come is given.
    }
    StringBuilder text = new StringBuilder();
    new TreeMap<>(KEPT.getOrDefault(update, Map.of())).forEach((name, counts) -> {
      text.append(name);
      for (long count : counts) {
        text.append('\t').append(count);
      }
      text.append('\n');
    });
    return text.toString();
  }

  /** Forgets an update; with the last one the listener goes. */
  public static synchronized void forget(SparkContext context, String update) {
    KEPT.remove(update);
    if (KEPT.isEmpty() && listener != null) {
      context.removeSparkListener(listener);
      listener = null;
    }
  }

  @Override
  public void onOtherEvent(SparkListenerEvent event) {
    if (event instanceof QueryProgressEvent progress) {
      progress.progress().observedMetrics().forEach((name, row) -> keep(name, row, true));
    } else if (event instanceof SparkListenerSQLExecutionEnd end && end.executionFailure().isEmpty()) {
      QueryExecution query = end.qe();
      if (query != null && !(query instanceof IncrementalExecution)) {
        CollectionConverters.asJava(query.observedMetrics()).forEach((name, row) -> keep(name, row, false));
      }
    }
  }

  private static void keep(String name, Row row, boolean add) {
    String[] parts = name.split("/", 3);
    Map<String, long[]> update = name.startsWith(PREFIX) && parts.length > 2 ? KEPT.get(parts[1]) : null;
    if (update == null || row == null) {
      return;
    }
    long[] counts = new long[row.length()];
    for (int index = 0; index < counts.length; index++) {
      counts[index] = row.isNullAt(index) ? 0 : row.getLong(index);
    }
    update.merge(parts[2], counts, (old, fresh) -> add ? sum(old, fresh) : fresh);
  }

  private static long[] sum(long[] left, long[] right) {
    long[] sums = left.clone();
    for (int index = 0; index < sums.length; index++) {
      sums[index] += right[index];
    }
    return sums;
  }
}
