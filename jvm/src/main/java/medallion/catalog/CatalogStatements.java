package medallion.catalog;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Function;
import medallion.catalog.Tokens.Kind;
import medallion.catalog.Tokens.Token;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import scala.util.Try;

/**
 * The statements of Databricks on catalogs, volumes and rights, written as statements that Spark can parse: mostly CALL of a
 * procedure ({@link Procedures}), which runs when the plan runs.
 */
final class CatalogStatements {
  private static final Map<String, BiFunction<SparkSession, Tokens, String>> BY_FIRST_WORD = Map.ofEntries(
      Map.entry("USE", CatalogStatements::use),
      Map.entry("CREATE", CatalogStatements::create),
      Map.entry("DROP", CatalogStatements::drop),
      Map.entry("SHOW", CatalogStatements::show),
      Map.entry("DESCRIBE", CatalogStatements::describe),
      Map.entry("DESC", CatalogStatements::describe),
      Map.entry("COMMENT", CatalogStatements::comment),
      Map.entry("ALTER", CatalogStatements::alter),
      Map.entry("ANALYZE", CatalogStatements::analyze),
      Map.entry("GRANT", (session, words) -> noted(session, "GRANT")),
      Map.entry("REVOKE", (session, words) -> noted(session, "REVOKE")),
      Map.entry("DENY", (session, words) -> noted(session, "DENY")));

  private CatalogStatements() {}

  /** The statement that stands for this one in Spark's SQL; null when it is Spark's own. */
  static String rewrite(SparkSession session, String sql) {
    Tokens words = new Tokens(sql);
    Token first = words.next();
    if (first.kind() != Kind.WORD) {
      return null;
    }
    var statement = BY_FIRST_WORD.get(first.text().toUpperCase(Locale.ROOT));
    return statement == null ? null : statement.apply(session, words);
  }

  /** The text with each {@code table@v12} written as {@code table VERSION AS OF 12}; null when it has none. */
  static String versions(String sql) {
    Tokens words = new Tokens(sql);
    StringBuilder text = new StringBuilder();
    int copied = 0;
    Token before = words.next();
    while (before.kind() != Kind.END) {
      Token at = words.peek();
      Token version = words.peek(1);
      boolean name = before.kind() == Kind.WORD || before.kind() == Kind.QUOTED_NAME;
      if (name && at.isSymbol("@") && at.start() == before.end() && version.start() == at.end()
          && version.text().matches("v\\d+")) {
        text.append(sql, copied, at.start()).append(" VERSION AS OF ").append(version.text().substring(1));
        copied = version.end();
      }
      before = words.next();
    }
    return copied == 0 ? null : text.append(sql.substring(copied)).toString();
  }

  // ---- one method per first word; null = not ours

  private static String use(SparkSession session, Tokens words) {
    if (words.peek().is("CATALOG") && words.peek(1).kind() != Kind.END && !words.peek(1).isSymbol(".")) {
      words.next();
      Token catalog = words.peek();
      if (isName(catalog) && words.peek(1).kind() == Kind.END
          && !session.sessionState().catalogManager().isCatalogRegistered(unquoted(catalog))) {
        throw Problem.raise("There is no catalog " + unquoted(catalog) + ": CREATE CATALOG makes it");
      }
      return "SET CATALOG " + words.rest();
    }
    if (!words.accept("SCHEMA") && !words.accept("DATABASE")) {
      words.accept("NAMESPACE");
    }
    Token name = words.next();
    return isName(name) && words.atEnd() ? useSchema(session, name) : null;
  }

  /** USE a: on Databricks a schema. Spark prefers a catalog of that name, so a schema is spelled out when there are both. */
  private static String useSchema(SparkSession session, Token name) {
    CatalogPlugin current = session.sessionState().catalogManager().currentCatalog();
    Lake lake = Lake.of(session);
    String schema = unquoted(name);
    boolean both = lake != null && current instanceof FolderCatalog && lake.hasCatalog(schema)
        && lake.hasSchema(current.name(), schema);
    return both ? "USE " + quoted(current.name()) + "." + name.text() : null;
  }

  private static String create(SparkSession session, Tokens words) {
    if (words.accept("CATALOG")) {
      boolean quiet = words.accept("IF", "NOT", "EXISTS");
      String name = name(words);
      Clauses clauses = clauses(words);
      return call(session, "create_catalog", name, quiet, clauses.comment(), clauses.location());
    }
    boolean early = words.accept("IF", "NOT", "EXISTS");
    boolean external = words.accept("EXTERNAL");
    if (words.accept("VOLUME")) {
      boolean quiet = words.accept("IF", "NOT", "EXISTS") || early;
      String name = name(words);
      Clauses clauses = clauses(words);
      return call(session, "create_volume", name, quiet, external, clauses.comment(), clauses.location());
    }
    return words.peek().is("SCHEMA") || words.peek().is("DATABASE") ? withoutManaged(words) : null;
  }

  /** CREATE SCHEMA … MANAGED LOCATION '…': Spark knows the clause without its first word. */
  private static String withoutManaged(Tokens words) {
    for (Token word = words.next(); word.kind() != Kind.END; word = words.next()) {
      if (word.is("MANAGED") && words.peek().is("LOCATION")) {
        return words.text().substring(0, word.start()) + words.text().substring(word.end());
      }
    }
    return null;
  }

  private static String drop(SparkSession session, Tokens words) {
    if (words.accept("CATALOG")) {
      boolean quiet = words.accept("IF", "EXISTS");
      String name = name(words);
      boolean cascade = words.accept("CASCADE");
      words.accept("RESTRICT");
      return ended(words, call(session, "drop_catalog", name, quiet, cascade));
    }
    if (words.accept("VOLUME")) {
      boolean quiet = words.accept("IF", "EXISTS");
      return ended(words, call(session, "drop_volume", name(words), quiet));
    }
    return null;
  }

  private static String show(SparkSession session, Tokens words) {
    if (words.accept("VOLUMES")) {
      boolean within = words.accept("IN") || words.accept("FROM");
      String schema = within ? name(words) : "''";
      words.accept("LIKE");
      String pattern = words.peek().kind() == Kind.STRING ? words.next().text() : "'*'";
      return ended(words, call(session, "show_volumes", schema, pattern));
    }
    return words.accept("GRANTS") || words.accept("GRANT") ? call(session, "show_grants") : null;
  }

  private static String describe(SparkSession session, Tokens words) {
    if (words.peek(1).isSymbol(".") || words.peek(1).kind() == Kind.END) {
      return null; // a table whose schema or name is one of these words
    }
    if (words.accept("CATALOG")) {
      boolean extended = words.accept("EXTENDED");
      return ended(words, call(session, "describe_catalog", name(words), extended));
    }
    return words.accept("VOLUME") ? ended(words, call(session, "describe_volume", name(words))) : null;
  }

  private static String comment(SparkSession session, Tokens words) {
    if (!words.accept("ON", "CATALOG")) {
      return null;
    }
    String name = name(words);
    words.accept("IS");
    return ended(words, call(session, "comment_on_catalog", name, words.next().text()));
  }

  /** Owners, tags and predictive optimization mean nothing here: accepted, with a note. */
  private static String alter(SparkSession session, Tokens words) {
    Function<String[], Boolean> has = keywords -> {
      Tokens again = new Tokens(words.text());
      for (Token word = again.peek(); word.kind() != Kind.END; word = again.peek()) {
        if (word.kind() == Kind.WORD && again.accept(keywords)) {
          return true;
        }
        again.next();
      }
      return false;
    };
    List<String[]> ignored = List.of(new String[] {"OWNER", "TO"}, new String[] {"SET", "TAGS"},
        new String[] {"UNSET", "TAGS"}, new String[] {"PREDICTIVE", "OPTIMIZATION"});
    return ignored.stream().anyMatch(has::apply) ? noted(session, "ALTER") : null;
  }

  /** Delta keeps its statistics in its log with every commit, so for tables of the lake there is nothing to compute. */
  private static String analyze(SparkSession session, Tokens words) {
    if (!words.accept("TABLE") || !isName(words.peek())) {
      return null;
    }
    boolean expression = isExpression(words);
    int start = words.peek().start();
    String table = name(words);
    String text = words.text().substring(start, words.peek().start());
    boolean ours = words.accept("COMPUTE", "STATISTICS") && (expression || inLake(session, text));
    return ours ? call(session, "analyze_table", table) : null;
  }

  private static boolean inLake(SparkSession session, String table) {
    List<String> parts = Scala.list(
        Try.apply(() -> parts(session, table)).getOrElse(() -> Scala.<String>seq(List.of())));
    if (parts.size() == 3) {
      Lake lake = Lake.of(session);
      return lake != null && lake.hasCatalog(parts.get(0));
    }
    return !parts.isEmpty() && session.sessionState().catalogManager().currentCatalog() instanceof FolderCatalog;
  }

  private static scala.collection.immutable.Seq<String> parts(SparkSession session, String name) {
    try {
      return session.sessionState().sqlParser().parseMultipartIdentifier(name);
    } catch (Exception error) {
      throw Problem.sneak(error);
    }
  }

  // ---- parts of statements

  /** COMMENT and LOCATION of a statement, as SQL literals. */
  private record Clauses(String comment, String location) {}

  private static Clauses clauses(Tokens words) {
    String comment = "''";
    String location = "''";
    while (!words.atEnd()) {
      if (words.accept("COMMENT")) {
        comment = words.next().text();
      } else if (words.accept("MANAGED", "LOCATION") || words.accept("LOCATION")) {
        location = words.next().text();
      } else if (!words.accept("DEFAULT", "COLLATION")) { // a collation's name is read by the next turn
        unexpected(words);
      } else {
        words.next();
      }
    }
    return new Clauses(comment, location);
  }

  private static String ended(Tokens words, String statement) {
    if (!words.atEnd()) {
      unexpected(words);
    }
    return statement;
  }

  private static void unexpected(Tokens words) {
    throw Problem.raise("Not understood at \"" + words.rest().strip() + "\" in: " + words.text().strip());
  }

  /** The name that comes next, as an SQL expression: a literal, or what IDENTIFIER(…) holds. */
  private static String name(Tokens words) {
    if (isExpression(words)) {
      return insideParentheses(words);
    }
    if (!isName(words.peek())) {
      unexpected(words);
    }
    int start = words.peek().start();
    return literal(words.text().substring(start, skipName(words)));
  }

  private static boolean isExpression(Tokens words) {
    return words.peek().is("IDENTIFIER") && words.peek(1).isSymbol("(");
  }

  /** Reads {@code IDENTIFIER(…)} and gives what stands in it. */
  static String insideParentheses(Tokens words) {
    words.next();
    int start = words.next().end();
    int depth = 1;
    Token token = words.peek();
    while (depth > 0) {
      token = words.next();
      if (token.kind() == Kind.END) {
        unexpected(words);
      }
      depth += token.isSymbol("(") ? 1 : token.isSymbol(")") ? -1 : 0;
    }
    return words.text().substring(start, token.start());
  }

  private static int skipName(Tokens words) {
    int end = words.next().end();
    while (words.peek().isSymbol(".") || words.peek().isSymbol("-")) { // an unquoted hyphen is an error later on
      words.next();
      end = words.next().end();
    }
    return end;
  }

  private static boolean isName(Token token) {
    return token.kind() == Kind.WORD || token.kind() == Kind.QUOTED_NAME;
  }

  private static String noted(SparkSession session, String statement) {
    return call(session, "note", literal(statement + " is accepted and has no effect here: there are no rights, owners or "
        + "tags on folders"));
  }

  private static String call(SparkSession session, String procedure, Object... arguments) {
    Lake lake = Lake.of(session);
    if (lake == null) {
      return null;
    }
    StringBuilder text = new StringBuilder("CALL ").append(quoted(lake.defaultCatalog())).append('.')
        .append(Procedures.NAMESPACE).append('.').append(procedure).append('(');
    for (int i = 0; i < arguments.length; i++) {
      text.append(i == 0 ? "" : ", ").append(arguments[i]);
    }
    return text.append(')').toString();
  }

  static String quoted(String name) {
    return "`" + name.replace("`", "``") + "`";
  }

  private static String unquoted(Token name) {
    return name.kind() == Kind.WORD ? name.text()
        : name.text().substring(1, name.text().length() - 1).replace("``", "`");
  }

  static String literal(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }
}
