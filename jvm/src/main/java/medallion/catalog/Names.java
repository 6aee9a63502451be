package medallion.catalog;

import java.util.Locale;

/**
 * Names of catalogs, schemas, tables, views and volumes. They are folder names too, so what is not a plain name is refused.
 *
 * <p>Source of the rule: Unity Catalog's object names are case-insensitive, at most 255 characters long, and hold no
 * period, space, slash or control character. Colon, backslash, star and question mark are refused besides, because
 * file systems and Hadoop's paths give them a meaning.
 */
final class Names {
  static final int LONGEST = 255;

  private Names() {}

  /** Whether {@code name} may be a folder of the lake. */
  static boolean valid(String name) {
    return !name.isEmpty() && name.length() <= LONGEST && name.chars().allMatch(Names::allowed);
  }

  private static boolean allowed(int c) {
    return c > ' ' && c != 0x7f && "./\\:*?".indexOf(c) < 0;
  }

  /** The folder of that name: lower case, and checked. */
  static String folder(String name) {
    if (!valid(name)) {
      throw Problem.raise("The name `" + name + "` is not allowed: names have 1 to " + LONGEST
          + " characters, without period, space, slash, backslash, colon, star, question mark or control character");
    }
    return name.toLowerCase(Locale.ROOT);
  }
}
