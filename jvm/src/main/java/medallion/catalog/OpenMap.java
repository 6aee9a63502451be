package medallion.catalog;

import java.lang.invoke.MethodHandles;
import java.lang.reflect.Constructor;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.xbean.asm9.ClassWriter;
import org.apache.xbean.asm9.MethodVisitor;
import org.apache.xbean.asm9.Opcodes;
import scala.collection.mutable.HashMap;

/**
 * A Scala hash map whose look-up and list of keys ask a {@link SessionCatalogs}.
 *
 * <p>The Java language cannot extend Scala's HashMap: the types of its inherited methods clash. The JVM can. So the class is
 * written here as byte code, with the ASM library that Spark brings; all it does is to call the two methods of its owner.
 */
final class OpenMap {
  private static final String NAME = "medallion/catalog/OpenMap$Map";
  private static final String MAP = "scala/collection/mutable/HashMap";
  private static final String OWNER = "medallion/catalog/SessionCatalogs";
  private static final String OWNER_TYPE = "L" + OWNER + ";";
  private static final Constructor<?> MAKE = define();

  private OpenMap() {}

  /** Whether a map was made here. */
  static boolean isOne(Object map) {
    return MAKE.getDeclaringClass().isInstance(map);
  }

  @SuppressWarnings("unchecked")
  static HashMap<String, CatalogPlugin> make(SessionCatalogs owner) throws ReflectiveOperationException {
    return (HashMap<String, CatalogPlugin>) MAKE.newInstance(owner);
  }

  private static Constructor<?> define() {
    try {
      return MethodHandles.lookup().defineClass(code()).getConstructor(SessionCatalogs.class);
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException(error);
    }
  }

  private static byte[] code() {
    ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
    writer.visit(Opcodes.V17, Opcodes.ACC_PUBLIC | Opcodes.ACC_FINAL, NAME, null, MAP, null);
    writer.visitField(Opcodes.ACC_PRIVATE | Opcodes.ACC_FINAL, "owner", OWNER_TYPE, null, null).visitEnd();
    constructor(writer);
    forward(writer, "getOrElseUpdate", "Ljava/lang/Object;Lscala/Function0;", "Ljava/lang/Object;", "find", 2);
    forward(writer, "keys", "", "Lscala/collection/Iterable;", "names", 0);
    writer.visitEnd();
    return writer.toByteArray();
  }

  private static void constructor(ClassWriter writer) {
    MethodVisitor method = writer.visitMethod(Opcodes.ACC_PUBLIC, "<init>", "(" + OWNER_TYPE + ")V", null, null);
    method.visitCode();
    method.visitVarInsn(Opcodes.ALOAD, 0);
    method.visitMethodInsn(Opcodes.INVOKESPECIAL, MAP, "<init>", "()V", false);
    method.visitVarInsn(Opcodes.ALOAD, 0);
    method.visitVarInsn(Opcodes.ALOAD, 1);
    method.visitFieldInsn(Opcodes.PUTFIELD, NAME, "owner", OWNER_TYPE);
    method.visitInsn(Opcodes.RETURN);
    method.visitMaxs(0, 0);
    method.visitEnd();
  }

  /** {@code name(arguments) { return owner.target(this, arguments); }} */
  private static void forward(ClassWriter writer, String name, String arguments, String result, String target, int count) {
    MethodVisitor method = writer.visitMethod(Opcodes.ACC_PUBLIC, name, "(" + arguments + ")" + result, null, null);
    method.visitCode();
    method.visitVarInsn(Opcodes.ALOAD, 0);
    method.visitFieldInsn(Opcodes.GETFIELD, NAME, "owner", OWNER_TYPE);
    for (int i = 0; i <= count; i++) {
      method.visitVarInsn(Opcodes.ALOAD, i);
    }
    method.visitMethodInsn(Opcodes.INVOKEVIRTUAL, OWNER, target, "(L" + MAP + ";" + arguments + ")" + result, false);
    method.visitInsn(Opcodes.ARETURN);
    method.visitMaxs(0, 0);
    method.visitEnd();
  }
}
