package medallion.tasks;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.security.CodeSource;
import java.security.cert.Certificate;
import java.util.Map;
import java.util.Set;
import org.apache.xbean.asm9.ClassReader;
import org.apache.xbean.asm9.ClassVisitor;
import org.apache.xbean.asm9.ClassWriter;
import org.apache.xbean.asm9.MethodVisitor;
import org.apache.xbean.asm9.Opcodes;

/**
 * The classes of one task's JARs. Calls that would end the driver for all tasks are replaced as a class is loaded: a security
 * manager, the other way to catch {@code System.exit}, is gone from newer Java.
 */
final class UserClasses extends URLClassLoader {
  private static final String EXIT = Exit.class.getName().replace('.', '/');
  private static final Map<String, String> EXITS =
      Map.of(
          "java/lang/System.exit(I)V", "(I)V",
          "java/lang/Runtime.exit(I)V", "(Ljava/lang/Runtime;I)V",
          "java/lang/Runtime.halt(I)V", "(Ljava/lang/Runtime;I)V",
          "scala/sys/package$.exit(I)Lscala/runtime/Nothing$;", "(Ljava/lang/Object;I)Lscala/runtime/Nothing$;");
  private static final Set<String> SHARED =
      Set.of(
          "org/apache/spark/sql/SparkSession",
          "org/apache/spark/sql/classic/SparkSession",
          "org/apache/spark/SparkContext",
          "org/apache/spark/api/java/JavaSparkContext");
  private static final Set<String> ENDS = Set.of("stop()V", "close()V");

  UserClasses(URL[] jars, ClassLoader parent) {
    super(jars, parent);
  }

  @Override
  protected Class<?> findClass(String name) throws ClassNotFoundException {
    URL place = findResource(name.replace('.', '/') + ".class");
    if (place == null) {
      throw new ClassNotFoundException(name);
    }
    byte[] code;
    try (InputStream stream = place.openStream()) {
      code = rewritten(stream.readAllBytes());
    } catch (IOException error) {
      throw new ClassNotFoundException(name, error);
    }
    int dot = name.lastIndexOf('.');
    String folder = dot < 0 ? "" : name.substring(0, dot);
    if (dot > 0 && getDefinedPackage(folder) == null) {
      definePackage(folder, null, null, null, null, null, null, null);
    }
    return defineClass(name, code, 0, code.length, new CodeSource(getURLs()[0], (Certificate[]) null));
  }

  private static byte[] rewritten(byte[] code) {
    ClassReader reader = new ClassReader(code);
    ClassWriter writer = new ClassWriter(reader, 0);
    reader.accept(new Calls(writer), 0);
    return writer.toByteArray();
  }

  private static final class Calls extends ClassVisitor {
    Calls(ClassVisitor next) {
      super(Opcodes.ASM9, next);
    }

    @Override
    public MethodVisitor visitMethod(int access, String name, String type, String signature, String[] thrown) {
      return new MethodVisitor(Opcodes.ASM9, super.visitMethod(access, name, type, signature, thrown)) {
        @Override
        public void visitMethodInsn(int opcode, String owner, String called, String of, boolean isInterface) {
          String exit = EXITS.get(owner + "." + called + of);
          if (exit != null) {
            super.visitMethodInsn(Opcodes.INVOKESTATIC, EXIT, "exit", exit, false);
          } else if (SHARED.contains(owner) && ENDS.contains(called + of)) {
            super.visitMethodInsn(Opcodes.INVOKESTATIC, EXIT, "stop", "(Ljava/lang/Object;)V", false);
          } else {
            super.visitMethodInsn(opcode, owner, called, of, isInterface);
          }
        }
      };
    }
  }
}
