package medallion.catalog;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The words of a SQL statement, without comments, and a place to read on from. Reads only as far as it is asked. */
final class Tokens {
  /** What a token is. */
  enum Kind {
    WORD, QUOTED_NAME, STRING, SYMBOL, END
  }

  /** A token and where it stands in the text. */
  record Token(Kind kind, String text, int start, int end) {
    /** Whether it is this keyword, written in capitals here. */
    boolean is(String keyword) {
      return kind == Kind.WORD && text.toUpperCase(Locale.ROOT).equals(keyword);
    }

    boolean isSymbol(String symbol) {
      return kind == Kind.SYMBOL && text.equals(symbol);
    }
  }

  private final String sql;
  private final List<Token> read = new ArrayList<>();
  private int position;

  Tokens(String sql) {
    this.sql = sql;
  }

  String text() {
    return sql;
  }

  /** The token {@code ahead} places from here; END past the last. */
  Token peek(int ahead) {
    while (read.size() <= position + ahead) {
      read.add(scan(read.isEmpty() ? 0 : read.get(read.size() - 1).end()));
    }
    return read.get(position + ahead);
  }

  Token peek() {
    return peek(0);
  }

  Token next() {
    Token token = peek();
    position++;
    return token;
  }

  /** Whether these keywords come next; then they are read. */
  boolean accept(String... keywords) {
    for (int i = 0; i < keywords.length; i++) {
      if (!peek(i).is(keywords[i])) {
        return false;
      }
    }
    position += keywords.length;
    return true;
  }

  boolean acceptSymbol(String symbol) {
    boolean found = peek().isSymbol(symbol);
    position += found ? 1 : 0;
    return found;
  }

  /** Whether nothing but a closing semicolon is left. */
  boolean atEnd() {
    acceptSymbol(";");
    return peek().kind() == Kind.END;
  }

  /** The rest of the text from here on. */
  String rest() {
    return sql.substring(peek().start());
  }

  private Token scan(int from) {
    int start = skip(from);
    if (start >= sql.length()) {
      return new Token(Kind.END, "", sql.length(), sql.length());
    }
    char c = sql.charAt(start);
    if (c == '`' || c == '\'' || c == '"') {
      int end = closing(start, c);
      return new Token(c == '`' ? Kind.QUOTED_NAME : Kind.STRING, sql.substring(start, end), start, end);
    }
    int end = start;
    while (end < sql.length() && isWordPart(sql.charAt(end))) {
      end++;
    }
    boolean word = end > start;
    int stop = word ? end : start + 1;
    return new Token(word ? Kind.WORD : Kind.SYMBOL, sql.substring(start, stop), start, stop);
  }

  private static boolean isWordPart(char c) {
    return Character.isLetterOrDigit(c) || c == '_';
  }

  private int skip(int from) {
    int i = from;
    while (i < sql.length()) {
      if (Character.isWhitespace(sql.charAt(i))) {
        i++;
      } else if (sql.startsWith("--", i)) {
        int line = sql.indexOf('\n', i);
        i = line < 0 ? sql.length() : line + 1;
      } else if (sql.startsWith("/*", i) && !sql.startsWith("/*+", i)) {
        int close = sql.indexOf("*/", i + 2);
        i = close < 0 ? sql.length() : close + 2;
      } else {
        return i;
      }
    }
    return i;
  }

  private int closing(int start, char quote) {
    int i = start + 1;
    while (i < sql.length()) {
      char c = sql.charAt(i);
      if (c == '\\' && quote != '`') {
        i += 2;
      } else if (c == quote && (i + 1 >= sql.length() || sql.charAt(i + 1) != quote)) {
        return i + 1;
      } else {
        i += c == quote ? 2 : 1; // a doubled quote stands for one
      }
    }
    return sql.length();
  }
}
