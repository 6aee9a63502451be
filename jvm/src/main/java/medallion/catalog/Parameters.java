package medallion.catalog;

import java.util.Locale;
import java.util.Set;
import medallion.catalog.Tokens.Kind;
import medallion.catalog.Tokens.Token;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.NamedParameterContext;
import org.apache.spark.sql.catalyst.parser.ParameterContext;
import org.apache.spark.sql.catalyst.parser.ParameterHandler;
import org.apache.spark.sql.catalyst.parser.PositionalParameterContext;
import org.apache.spark.sql.classic.SparkSession;

/**
 * Parameters ({@code :name}, {@code ?}) and {@code IDENTIFIER(…)} written out as text. Spark does that for statements that it
 * can parse. The statements that only Delta can parse (OPTIMIZE, VACUUM, …) know neither, so they are done here.
 */
final class Parameters {
  private static final Set<String> DELTA = Set.of("OPTIMIZE", "VACUUM", "RESTORE", "REORG", "CONVERT", "DESCRIBE", "DESC");

  private Parameters() {}

  /** The statement with the values of its parameters in it. */
  static String bound(String sql, ParameterContext parameters) {
    return isDelta(sql) ? written(sql, parameters) : ParameterHandler.substituteParameters(sql, parameters)._1();
  }

  private static boolean isDelta(String sql) {
    return DELTA.contains(new Tokens(sql).peek().text().toUpperCase(Locale.ROOT));
  }

  private static String written(String sql, ParameterContext parameters) {
    Tokens words = new Tokens(sql);
    StringBuilder text = new StringBuilder();
    int copied = 0;
    int question = 0;
    Token before = null;
    for (Token token = words.next(); token.kind() != Kind.END; token = words.next()) {
      Expression value = null;
      int end = token.end();
      if (token.isSymbol("?") && parameters instanceof PositionalParameterContext positional) {
        value = positional.params().apply(question++);
      } else if (token.isSymbol(":") && words.peek().start() == token.end() && !joined(before, token)
          && parameters instanceof NamedParameterContext named) {
        value = named.params().get(words.peek().text()).getOrElse(() -> null);
        end = words.peek().end();
      }
      if (value != null) {
        text.append(sql, copied, token.start()).append(value.sql());
        copied = end;
      }
      before = token;
    }
    return text.append(sql.substring(copied)).toString();
  }

  /** Whether a colon belongs to what stands before it: a::type, or a:field. */
  private static boolean joined(Token before, Token colon) {
    return before != null && before.end() == colon.start() && !before.isSymbol("(") && !before.isSymbol(",");
  }

  /** A statement of Delta's with each {@code IDENTIFIER(…)} as the name that it stands for; any other text as it is. */
  static String named(SparkSession session, String sql) {
    if (!isDelta(sql)) {
      return sql;
    }
    Tokens words = new Tokens(sql);
    for (Token token = words.peek(); token.kind() != Kind.END; token = words.peek()) {
      if (token.is("IDENTIFIER") && words.peek(1).isSymbol("(")) {
        String expression = CatalogStatements.insideParentheses(words);
        String name = session.sql("SELECT " + expression).head().getString(0);
        return sql.substring(0, token.start()) + name + sql.substring(words.peek().start() - gap(words, sql));
      }
      words.next();
    }
    return sql;
  }

  private static int gap(Tokens words, String sql) {
    int start = words.peek().start();
    return start > 0 && Character.isWhitespace(sql.charAt(start - 1)) ? 1 : 0;
  }
}
