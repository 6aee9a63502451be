package medallion.catalog;

import java.util.List;
import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.ParameterContext;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.catalyst.parser.ParserInterface;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.internal.VariableSubstitution;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.Seq;

/**
 * Spark's SQL with the statements of Databricks on catalogs and volumes. Each of those is rewritten to a statement that
 * Spark has ({@link CatalogStatements}); all other text goes on untouched.
 */
final class StatementParser implements ParserInterface {
  private static final StackWalker STACK = StackWalker.getInstance();
  private static final Pattern REFUSED = Pattern.compile("(?i)\\b(read|cloud)_files\\s*\\(|\\bdeep\\s+clone\\b");
  private static final String DELTA_TABLE = "io.delta.tables.DeltaTable$";
  private static final String DELTA_TABLE_BUILDER = "io.delta.tables.DeltaTableBuilder";

  private final SparkSession session;
  private final ParserInterface next;
  private boolean installed;

  StatementParser(SparkSession session, ParserInterface next) {
    this.session = session;
    this.next = next;
  }

  /** The first thing that a session does is to parse something: from then on it knows the lake's catalogs. */
  private void install() {
    if (!installed) {
      installed = true;
      SessionCatalogs.install(session);
    }
  }

  private interface Parse {
    LogicalPlan of(String text) throws ParseException;
  }

  private LogicalPlan parse(String text, Parse parse) throws ParseException {
    install();
    refuse(text);
    String rewritten = CatalogStatements.rewrite(session, text);
    if (rewritten != null) {
      return parse.of(rewritten);
    }
    try {
      return parse.of(text);
    } catch (ParseException error) {
      String travel = CatalogStatements.versions(text); // `table@v1` is no SQL that Spark can read
      if (travel == null) {
        throw error;
      }
      return parse.of(travel);
    }
  }

  /** Functions over files become views in a task's Python session; a call that comes here came from elsewhere. */
  private static void refuse(String text) {
    if (!REFUSED.matcher(text).find()) {
      return;
    }
    Tokens tokens = new Tokens(text);
    while (tokens.peek().kind() != Tokens.Kind.END) {
      Tokens.Token token = tokens.next();
      if ((token.is("READ_FILES") || token.is("CLOUD_FILES")) && tokens.peek().isSymbol("(")) {
        throw Problem.onlyInTasks("The function " + token.text());
      }
      if (token.is("DEEP") && tokens.peek().is("CLONE")) {
        throw Problem.raise("DEEP CLONE does not work here: open Delta has SHALLOW CLONE. CREATE TABLE ... AS SELECT * FROM ... "
            + "copies the rows");
      }
    }
  }

  @Override
  public LogicalPlan parsePlan(String text) throws ParseException {
    return parse(text, sql -> next.parsePlan(Parameters.named(session, sql)));
  }

  /** Delta's parser drops the parameters of {@code spark.sql(text, args)}, so they are put into the text before it. */
  @Override
  public LogicalPlan parsePlanWithParameters(String text, ParameterContext parameters) throws ParseException {
    return parse(new VariableSubstitution().substitute(text),
        sql -> next.parsePlan(Parameters.named(session, Parameters.bound(sql, parameters))));
  }

  @Override
  public LogicalPlan parseQuery(String text) throws ParseException {
    return parse(text, next::parseQuery);
  }

  /**
   * Delta's {@code DeltaTable.forName} looks for names of fewer than three parts in the session catalog, whatever the
   * current one is. For that caller, and for it alone, the name is completed.
   */
  @Override
  public Seq<String> parseMultipartIdentifier(String text) throws ParseException {
    install();
    Seq<String> parts = next.parseMultipartIdentifier(text);
    return parts.length() < 3 && calledBy(DELTA_TABLE) ? completed(parts) : parts;
  }

  private static boolean calledBy(String name) {
    return STACK.walk(frames -> frames.limit(5).anyMatch(frame -> frame.getClassName().equals(name)));
  }

  private Seq<String> completed(Seq<String> parts) {
    CatalogManager manager = session.sessionState().catalogManager();
    List<String> names = Scala.list(parts);
    boolean path = names.size() == 2 && names.get(1).indexOf('/') >= 0;
    if (path || !(manager.currentCatalog() instanceof FolderCatalog current)) {
      return parts;
    }
    String[] schema = manager.currentNamespace();
    if (names.size() == 1 && (schema.length != 1 || isTemporary(names.get(0)))) {
      return parts;
    }
    return Scala.seq(names.size() == 2 ? List.of(current.name(), names.get(0), names.get(1))
        : List.of(current.name(), schema[0], names.get(0)));
  }

  private boolean isTemporary(String name) {
    return session.sessionState().catalog().getTempView(name).isDefined();
  }

  @Override
  public Expression parseExpression(String text) throws ParseException {
    return next.parseExpression(text);
  }

  /** Spark allows two parts here. Delta's {@code DeltaTable.create…tableName} asks with three, so it gets three. */
  @Override
  public TableIdentifier parseTableIdentifier(String text) throws ParseException {
    install();
    try {
      return next.parseTableIdentifier(text);
    } catch (ParseException error) {
      List<String> parts = calledBy(DELTA_TABLE_BUILDER) ? Scala.list(next.parseMultipartIdentifier(text)) : List.of();
      if (parts.size() != 3) {
        throw error;
      }
      return TableIdentifier.apply(parts.get(2), Scala.some(parts.get(1)), Scala.some(parts.get(0)));
    }
  }

  @Override
  public FunctionIdentifier parseFunctionIdentifier(String text) throws ParseException {
    return next.parseFunctionIdentifier(text);
  }

  @Override
  public StructType parseRoutineParam(String text) throws ParseException {
    return next.parseRoutineParam(text);
  }

  @Override
  public StructType parseTableSchema(String text) throws ParseException {
    return next.parseTableSchema(text);
  }

  @Override
  public DataType parseDataType(String text) throws ParseException {
    return next.parseDataType(text);
  }
}
