package medallion.catalog;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistryBase;
import org.apache.spark.sql.catalyst.analysis.TableFunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.CurrentUser;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.catalyst.expressions.If;
import org.apache.spark.sql.catalyst.expressions.In;
import org.apache.spark.sql.catalyst.expressions.Literal$;
import org.apache.spark.sql.catalyst.expressions.Lower;
import org.apache.spark.sql.catalyst.expressions.Now;
import org.apache.spark.sql.catalyst.expressions.StringLocate;

/**
 * Functions that Databricks has built in and open Spark lacks. They are added to Spark's own functions once for each JVM, so a
 * permanent view may use them; what Spark has itself stays.
 */
final class DatabricksFunctions {
  private static final Set<String> GROUPS = Set.of("users", "admins");
  private static final Set<String> ACCOUNT_GROUPS = Set.of("account users");

  private static final Map<String, Function<List<Expression>, Expression>> GIVEN = Map.of(
      "getdate", arguments -> of("getdate", arguments, 0, 0, Now::new),
      "session_user", arguments -> of("session_user", arguments, 0, 0, CurrentUser::new),
      "iff", arguments -> of("iff", arguments, 3, 3, () -> new If(arguments.get(0), arguments.get(1), arguments.get(2))),
      "charindex", arguments -> of("charindex", arguments, 2, 3, () -> new StringLocate(arguments.get(0), arguments.get(1),
          arguments.size() == 3 ? arguments.get(2) : Literal$.MODULE$.apply(1))),
      "is_member", arguments -> of("is_member", arguments, 1, 1, () -> isOneOf(arguments.get(0), GROUPS)),
      "is_account_group_member",
      arguments -> of("is_account_group_member", arguments, 1, 1, () -> isOneOf(arguments.get(0), ACCOUNT_GROUPS)));

  private static final String CONNECTOR = "its connector is not in open Spark";

  /** Functions that give rows and need Databricks: what to do instead. Spark's own error would not name them. */
  private static final Map<String, String> REFUSED_TABLES = Map.of(
      "list_secrets", "read secrets by dbutils.secrets.get(scope, key) in Python",
      "ai_forecast", "it calls a model that Databricks serves; call a model of your own in a Python UDF",
      "vector_search", "there is no index of Mosaic AI Vector Search",
      "remote_query", "read the source by spark.read.format(\"jdbc\")",
      "read_kafka", "read topics by spark.readStream.format(\"kafka\"), with its package on the cluster",
      "read_kinesis", CONNECTOR,
      "read_pubsub", CONNECTOR,
      "read_pulsar", CONNECTOR,
      "read_statestore", "read the state by spark.read.format(\"statestore\")",
      "cloud_files_state", "the checkpoint of a stream keeps its files in a form of its own");

  private static boolean added;

  private DatabricksFunctions() {}

  /** Adds them to the functions that each session of this JVM begins with. */
  static synchronized void add() {
    if (added) {
      return;
    }
    added = true;
    GIVEN.forEach((name, builder) -> add(FunctionRegistry.builtin(), name, builder));
    REFUSED_TABLES.forEach((name, instead) -> add(TableFunctionRegistry.builtin(), name, arguments -> {
      throw Problem.raise("Databricks' function " + name + " does not work here: " + instead);
    }));
  }

  private static <T> void add(FunctionRegistryBase<T> registry, String name, Function<List<Expression>, T> builder) {
    FunctionIdentifier identifier = new FunctionIdentifier(name);
    if (!registry.functionExists(identifier)) {
      registry.registerFunction(identifier, new ExpressionInfo(DatabricksFunctions.class.getName(), name),
          arguments -> builder.apply(Scala.list(arguments)));
    }
  }

  private static Expression of(String name, List<Expression> arguments, int least, int most,
      java.util.function.Supplier<Expression> made) {
    if (arguments.size() < least || arguments.size() > most) {
      throw Problem.raise("The function " + name + " takes " + (least == most ? least : least + " to " + most)
          + " arguments, not " + arguments.size());
    }
    return made.get();
  }

  /** Names of groups compare without regard to case. */
  private static Expression isOneOf(Expression group, Set<String> names) {
    List<Expression> literals = new TreeSet<>(names).stream().<Expression>map(Literal$.MODULE$::apply).toList();
    return new In(new Lower(group), Scala.seq(literals));
  }
}
