package medallion.catalog;

import java.lang.reflect.Field;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.DefaultCatalogManager;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Function0;
import scala.collection.Iterable;
import scala.collection.mutable.HashMap;

/**
 * A session's loaded catalogs, backed by the lake: a folder of the lake is a catalog from the moment it exists, and is none
 * once it is gone. Names in another case are the same catalog.
 *
 * <p>Spark reads a catalog's class from the conf, and lists only what it has loaded; its CatalogManager has no hook. So a map
 * that asks this object ({@link OpenMap}) takes the place of the manager's own, once per session, by reflection. Where that
 * fails (a Spark that names the field otherwise) only catalogs named in the conf are known, and a warning says so.
 */
public final class SessionCatalogs {
  private static final Logger LOG = LoggerFactory.getLogger(SessionCatalogs.class);
  private static final Field LOADED = field();

  private final Lake lake;
  private final SparkSession session;

  private SessionCatalogs(Lake lake, SparkSession session) {
    this.lake = lake;
    this.session = session;
  }

  private static Field field() {
    try {
      Field field = DefaultCatalogManager.class.getDeclaredField("catalogs");
      field.setAccessible(true);
      return field;
    } catch (ReflectiveOperationException | RuntimeException error) {
      LOG.warn("Catalogs must be named in the Spark conf, this Spark keeps them in another place: {}", error.toString());
      return null;
    }
  }

  /**
   * Makes the folders of the lake known in a session. Does nothing the second time, or when no lake is set.
   *
   * <p>The first statement or name that a session parses calls this. Who hands out sessions may call it before.
   */
  public static void install(SparkSession session) {
    CatalogManager manager = session.sessionState().catalogManager();
    if (LOADED == null || !(manager instanceof DefaultCatalogManager)) {
      return;
    }
    synchronized (manager) {
      try {
        Object present = LOADED.get(manager);
        Lake lake = OpenMap.isOne(present) ? null : Lake.of(session);
        if (lake != null) {
          @SuppressWarnings("unchecked")
          HashMap<String, CatalogPlugin> loaded = (HashMap<String, CatalogPlugin>) present;
          HashMap<String, CatalogPlugin> catalogs = OpenMap.make(new SessionCatalogs(lake, session));
          catalogs.addAll(loaded);
          LOADED.set(manager, catalogs);
        }
      } catch (ReflectiveOperationException error) {
        LOG.warn("Catalogs must be named in the Spark conf: {}", error.toString());
      }
    }
  }

  /** The catalog of that name: the map's, the lake's, or the one that {@code load} makes from the conf. */
  public Object find(HashMap<String, CatalogPlugin> catalogs, Object key, Function0<CatalogPlugin> load) {
    String name = (String) key;
    String folder = Names.valid(name) ? Names.folder(name) : name;
    CatalogPlugin loaded = catalogs.get(folder).getOrElse(() -> null);
    if (loaded instanceof FolderCatalog || loaded == null && Names.valid(name) && !configured(name)) {
      if (lake.hasCatalog(folder)) {
        return loaded != null ? loaded : opened(catalogs, folder);
      }
      catalogs.remove(folder);
      loaded = null;
    }
    CatalogPlugin catalog = loaded != null ? loaded : catalogs.get(name).getOrElse(load);
    catalogs.put(name, catalog);
    return catalog;
  }

  private boolean configured(String name) {
    return session.sessionState().conf().contains("spark.sql.catalog." + name);
  }

  private static CatalogPlugin opened(HashMap<String, CatalogPlugin> catalogs, String folder) {
    FolderCatalog catalog = new FolderCatalog();
    catalog.initialize(folder, CaseInsensitiveStringMap.empty());
    catalogs.put(folder, catalog);
    return catalog;
  }

  /** What SHOW CATALOGS and {@code spark.catalog.listCatalogs()} list. */
  public Iterable<String> names(HashMap<String, CatalogPlugin> catalogs) {
    for (String folder : lake.catalogs()) {
      if (!catalogs.contains(folder) && !configured(folder)) {
        opened(catalogs, folder);
      }
    }
    catalogs.filterInPlace((name, catalog) -> !(catalog instanceof FolderCatalog) || lake.hasCatalog(name));
    return catalogs.keySet();
  }
}
