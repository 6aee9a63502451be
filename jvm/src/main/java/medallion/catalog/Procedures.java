package medallion.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.FileNotFoundException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.procedures.BoundProcedure;
import org.apache.spark.sql.connector.catalog.procedures.ProcedureParameter;
import org.apache.spark.sql.connector.catalog.procedures.UnboundProcedure;
import org.apache.spark.sql.connector.read.LocalScan;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/** What the statements of {@link CatalogStatements} do, as procedures that Spark's CALL runs. */
final class Procedures {
  /** Schema that the procedures are called in. */
  static final String NAMESPACE = "medallion";

  /** Spark conf: URI of the folder that {@code /Volumes} stands for; without it, Spark's own {@code /Volumes}. */
  static final String VOLUMES_CONF = "spark.medallion.volumes";

  private static final String CATALOG_FILE = ".catalog.json";

  /** A procedure's work: its arguments in, rows out. */
  private interface Body {
    List<Object[]> run(Call call);
  }

  /** A procedure: types of its arguments (s = string, b = boolean), columns of its rows, and its work. */
  private record Procedure(String types, List<String> columns, Body body) {}

  private static final Map<String, Procedure> ALL = Map.ofEntries(
      Map.entry("create_catalog", new Procedure("sbss", List.of(), Procedures::createCatalog)),
      Map.entry("drop_catalog", new Procedure("sbb", List.of(), Procedures::dropCatalog)),
      Map.entry("describe_catalog", new Procedure("sb", List.of("info_name", "info_value"), Procedures::describeCatalog)),
      Map.entry("comment_on_catalog", new Procedure("ss", List.of(), Procedures::commentOnCatalog)),
      Map.entry("create_volume", new Procedure("sbbss", List.of(), Procedures::createVolume)),
      Map.entry("drop_volume", new Procedure("sb", List.of(), Procedures::dropVolume)),
      Map.entry("show_volumes", new Procedure("ss", List.of("database", "volume_name"), Procedures::showVolumes)),
      Map.entry("describe_volume", new Procedure("s",
          List.of("name", "catalog", "database", "volume_type", "storage_location"), Procedures::describeVolume)),
      Map.entry("show_grants", new Procedure("", List.of("principal", "action_type", "object_type", "object_key"),
          call -> List.of())),
      Map.entry("analyze_table", new Procedure("s", List.of("note"), Procedures::analyzeTable)),
      Map.entry("note", new Procedure("s", List.of("note"), call -> List.<Object[]>of(new Object[] {call.text(0)}))));

  private Procedures() {}

  /** The procedure of that name, or null. */
  static UnboundProcedure find(Identifier id) {
    Procedure procedure = ALL.get(id.name());
    boolean ours = id.namespace().length == 1 && id.namespace()[0].equals(NAMESPACE);
    return procedure == null || !ours ? null : new Bound(id.name(), procedure);
  }

  // ---- catalogs

  private static List<Object[]> createCatalog(Call call) {
    String name = call.one(0);
    Lake lake = call.lake();
    Map<String, String> about = new TreeMap<>();
    if (!call.text(2).isEmpty()) {
      about.put("comment", call.text(2));
    }
    if (!call.text(3).isEmpty()) {
      about.put("managed_location", call.text(3)); // kept for DESCRIBE CATALOG; the data lies in the lake all the same
    }
    boolean made = lake.locks().catalog(name, () -> !lake.isFolder(lake.catalog(name))
        && lake.make(lake.catalog(name), CATALOG_FILE, file(about), Lake.DEFAULT_SCHEMA));
    if (!made && !call.flag(1)) {
      throw Problem.raise("Catalog " + name + " already exists");
    }
    return List.of();
  }

  private static ObjectNode file(Map<String, String> about) {
    ObjectNode file = Lake.json().createObjectNode();
    about.forEach(file::put);
    return file;
  }

  private static Map<String, String> about(Lake lake, String catalog) {
    JsonNode file = lake.read(new Path(lake.catalog(catalog), CATALOG_FILE));
    return file == null ? new TreeMap<>() : new TreeMap<>(Views.map(file));
  }

  private static List<Object[]> dropCatalog(Call call) {
    String name = call.one(0);
    Lake lake = call.lake();
    if (name.equals(lake.defaultCatalog()) && lake.isFolder(lake.catalog(name))) {
      throw Problem.raise("Catalog " + name + " is the default catalog and cannot be dropped");
    }
    boolean dropped = lake.locks().catalog(name, () -> {
      if (!lake.isFolder(lake.catalog(name))) {
        return false;
      }
      if (!call.flag(2) && lake.schemas(name).stream().anyMatch(schema -> !isEmptyDefault(lake, name, schema))) {
        throw Problem.raise("Catalog " + name + " is not empty: use DROP CATALOG " + name + " CASCADE");
      }
      CatalogManager manager = call.session().sessionState().catalogManager();
      if (manager.currentCatalog().name().equals(name)) {
        manager.setCurrentCatalog(lake.defaultCatalog());
      }
      return lake.delete(lake.catalog(name));
    });
    if (dropped) {
      org.apache.spark.sql.delta.DeltaLog.clearCache();
    } else if (!call.flag(1)) {
      throw Problem.raise("Catalog " + name + " does not exist");
    }
    return List.of();
  }

  private static boolean isEmptyDefault(Lake lake, String catalog, String schema) {
    return schema.equals(Lake.DEFAULT_SCHEMA) && Arrays.stream(lake.list(lake.schema(catalog, schema)))
        .allMatch(file -> file.getPath().getName().startsWith("."));
  }

  private static List<Object[]> describeCatalog(Call call) {
    String name = call.one(0);
    Lake lake = call.lake();
    if (!lake.hasCatalog(name)) {
      throw Problem.raise("Catalog " + name + " does not exist");
    }
    Map<String, String> about = about(lake, name);
    List<Object[]> rows = new ArrayList<>();
    rows.add(new Object[] {"Catalog Name", name});
    rows.add(new Object[] {"Comment", about.getOrDefault("comment", "")});
    if (call.flag(1)) {
      rows.add(new Object[] {"Catalog Type", "Regular"});
      rows.add(new Object[] {"Storage Location", lake.catalog(name).toString()});
    }
    return rows;
  }

  private static List<Object[]> commentOnCatalog(Call call) {
    String name = call.one(0);
    Lake lake = call.lake();
    return lake.locks().catalog(name, () -> {
      if (!lake.hasCatalog(name)) {
        throw Problem.raise("Catalog " + name + " does not exist");
      }
      Map<String, String> about = about(lake, name);
      about.put("comment", call.text(1));
      lake.write(new Path(lake.catalog(name), CATALOG_FILE), file(about), true);
      return List.of();
    });
  }

  // ---- volumes: folders below /Volumes

  private static List<Object[]> createVolume(Call call) {
    Volume volume = call.volume(0);
    if (call.flag(2) || !call.text(4).isEmpty()) {
      throw Problem.raise("External volumes are not supported: leave EXTERNAL and LOCATION out, or link the folder "
          + volume.path() + " to the place");
    }
    return volume.changing(call, () -> {
      if (!call.lake().hasSchema(volume.catalog(), volume.schema())) {
        throw Problem.raise("There is no schema " + volume.catalog() + "." + volume.schema() + " for the volume");
      }
      if (volume.exists(call) && !call.flag(1)) {
        throw Problem.raise("Volume " + volume + " already exists");
      }
      call.files().mkdirs(volume.path());
      return List.of();
    });
  }

  private static List<Object[]> dropVolume(Call call) {
    Volume volume = call.volume(0);
    return volume.changing(call, () -> {
      if (!call.files().delete(volume.path(), true) && !call.flag(1)) {
        throw Problem.raise("Volume " + volume + " does not exist");
      }
      return List.of();
    });
  }

  private static List<Object[]> showVolumes(Call call) {
    List<String> schema = call.completed(call.text(0), 2);
    Path folder = new Path(new Path(call.volumes(), Names.folder(schema.get(0))), Names.folder(schema.get(1)));
    Pattern pattern = Pattern.compile(
        call.text(1).replace("%", "*").replace("*", ".*"), Pattern.CASE_INSENSITIVE); // as SHOW TABLES' patterns
    List<Object[]> rows = new ArrayList<>();
    for (FileStatus file : call.list(folder)) {
      String name = file.getPath().getName();
      if (file.isDirectory() && Names.valid(name) && pattern.matcher(name).matches()) {
        rows.add(new Object[] {schema.get(1), name});
      }
    }
    rows.sort((a, b) -> ((String) a[1]).compareTo((String) b[1]));
    return rows;
  }

  private static List<Object[]> describeVolume(Call call) {
    Volume volume = call.volume(0);
    if (!volume.exists(call)) {
      throw Problem.raise("Volume " + volume + " does not exist");
    }
    return List.<Object[]>of(new Object[] {volume.name(), volume.catalog(), volume.schema(), "MANAGED",
        "/Volumes/" + volume.catalog() + "/" + volume.schema() + "/" + volume.name()});
  }

  private static List<Object[]> analyzeTable(Call call) {
    call.session().table(call.text(0)).schema(); // an unknown table is an error
    return List.<Object[]>of(new Object[] {"Delta's log holds the statistics of " + call.text(0) + " already"});
  }

  /** A volume by its parts and its folder. */
  private record Volume(String catalog, String schema, String name, Path path) {
    boolean exists(Call call) {
      return Lake.io(() -> call.files().exists(path));
    }

    /** Runs work that makes or drops the volume. */
    List<Object[]> changing(Call call, NameLocks.Work<List<Object[]>> work) {
      return call.lake().locks().names(work, new Place(call.lake(), catalog, schema, name));
    }

    @Override
    public String toString() {
      return catalog + "." + schema + "." + name;
    }
  }

  /** One call: the arguments and what the work needs of the session. */
  private record Call(SparkSession session, InternalRow arguments) {
    String text(int index) {
      return arguments.isNullAt(index) ? "" : arguments.getUTF8String(index).toString();
    }

    boolean flag(int index) {
      return arguments.getBoolean(index);
    }

    Lake lake() {
      return Lake.of(session);
    }

    /** An argument that names a catalog. */
    String one(int index) {
      List<String> parts = parts(text(index));
      if (parts.size() != 1) {
        throw Problem.raise("A catalog's name has one part, not " + parts.size() + ": " + text(index));
      }
      return Names.folder(parts.get(0));
    }

    private List<String> parts(String name) {
      try {
        return Scala.list(session.sessionState().sqlParser().parseMultipartIdentifier(name));
      } catch (Exception error) {
        throw Problem.sneak(error);
      }
    }

    /** A name's parts, the missing first ones from the current catalog and schema. */
    List<String> completed(String name, int wanted) {
      CatalogManager manager = session.sessionState().catalogManager();
      List<String> parts = new ArrayList<>(name.isEmpty() ? List.of() : parts(name));
      if (parts.size() > wanted) {
        throw Problem.raise("Too many parts in the name " + name);
      }
      if (parts.size() == wanted - 2) {
        parts.add(0, manager.currentNamespace()[0]);
      }
      if (parts.size() == wanted - 1) {
        parts.add(0, manager.currentCatalog().name());
      }
      return parts;
    }

    Volume volume(int index) {
      List<String> parts = completed(text(index), 3).stream().map(Names::folder).toList();
      Path path = new Path(new Path(new Path(volumes(), parts.get(0)), parts.get(1)), parts.get(2));
      return new Volume(parts.get(0), parts.get(1), parts.get(2), path);
    }

    Path volumes() {
      return new Path(session.sessionState().conf().getConfString(VOLUMES_CONF, "/Volumes"));
    }

    FileSystem files() {
      return Lake.io(() -> volumes().getFileSystem(session.sessionState().newHadoopConf()));
    }

    FileStatus[] list(Path folder) {
      return Lake.io(() -> {
        try {
          return files().listStatus(folder);
        } catch (FileNotFoundException missing) {
          return new FileStatus[0];
        }
      });
    }
  }

  /** A procedure as Spark's CALL takes it. */
  private record Bound(String name, Procedure procedure) implements UnboundProcedure, BoundProcedure {
    @Override
    public BoundProcedure bind(StructType inputs) {
      return this;
    }

    @Override
    public boolean isDeterministic() {
      return false;
    }

    @Override
    public ProcedureParameter[] parameters() {
      ProcedureParameter[] parameters = new ProcedureParameter[procedure.types().length()];
      for (int i = 0; i < parameters.length; i++) {
        DataType type = procedure.types().charAt(i) == 'b' ? DataTypes.BooleanType : DataTypes.StringType;
        parameters[i] = ProcedureParameter.in("p" + i, type).build();
      }
      return parameters;
    }

    @Override
    public Iterator<Scan> call(InternalRow arguments) {
      List<Object[]> rows = procedure.body().run(new Call((SparkSession) SparkSession.active(), arguments));
      return procedure.columns().isEmpty() ? List.<Scan>of().iterator()
          : List.<Scan>of(new Rows(procedure.columns(), rows)).iterator();
    }
  }

  /** Rows of strings. */
  private record Rows(List<String> columns, List<Object[]> values) implements LocalScan {
    @Override
    public StructType readSchema() {
      StructType schema = new StructType();
      for (String column : columns) {
        schema = schema.add(column, DataTypes.StringType);
      }
      return schema;
    }

    @Override
    public InternalRow[] rows() {
      return values.stream().map(row -> new GenericInternalRow(
          Arrays.stream(row).map(value -> (Object) UTF8String.fromString((String) value)).toArray()))
          .toArray(InternalRow[]::new);
    }
  }
}
