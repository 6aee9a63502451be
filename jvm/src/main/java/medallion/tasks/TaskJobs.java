package medallion.tasks;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobEnd;
import org.apache.spark.scheduler.SparkListenerJobStart;

/**
 * Knows whose task each running job is, and ends the jobs of tasks that have ended, also those that start afterwards.
 *
 * <p>A pipeline's flows run in threads of a pool, in clones of the task's session: neither the job tag of the task nor that of
 * its session is on their jobs. But Spark writes the settings of the session, and so the task's tag, on every job of a query.
 */
public final class TaskJobs extends SparkListener {
  private static final String SETTING = "spark.medallion.tag";
  private static final int KEPT = 1_000;
  private static final Map<Integer, Properties> RUNNING = new ConcurrentHashMap<>();
  private static final Set<String> ENDED =
      Collections.synchronizedSet(
          Collections.newSetFromMap(
              new LinkedHashMap<String, Boolean>() {
                @Override
                protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
                  return size() > KEPT;
                }
              }));
  private static TaskJobs listener;

  private final SparkContext context;

  private TaskJobs(SparkContext context) {
    this.context = context;
  }

  /** Watches the driver's jobs from now on. */
  public static synchronized void watch(SparkContext context) {
    if (listener == null) {
      listener = new TaskJobs(context);
      context.addSparkListener(listener);
    }
  }

  /**
   * Ends the jobs of a task.
   *
   * @param also whether jobs that it starts from now on end at once: its code may run in this JVM, where nothing ends it for sure.
   */
  public static synchronized void end(String tag, boolean also) {
    if (also) {
      ENDED.add(tag); // before the look at what runs: a job that starts meanwhile is found by one of the two
    }
    RUNNING.forEach((job, properties) -> {
      if (isOf(properties, tag)) {
        listener.cancel(job);
      }
    });
  }

  /** Whether a task was ended from outside. */
  static boolean hasEnded(String tag) {
    return ENDED.contains(tag);
  }

  @Override
  public void onJobStart(SparkListenerJobStart event) {
    Properties properties = event.properties();
    if (properties == null) {
      return;
    }
    RUNNING.put(event.jobId(), properties);
    String tag = properties.getProperty(SETTING);
    if (tag != null && ENDED.contains(tag)) {
      cancel(event.jobId());
    }
  }

  @Override
  public void onJobEnd(SparkListenerJobEnd event) {
    RUNNING.remove(event.jobId());
  }

  private void cancel(int job) {
    context.cancelJob(job, "its task has ended");
  }

  private static boolean isOf(Properties properties, String tag) {
    return tag.equals(properties.getProperty(SETTING))
        || Arrays.asList(properties.getProperty("spark.job.tags", "").split(",")).contains(tag);
  }
}
