# Stands for `sbt assembly`: the JDK and the JARs of pyspark are all that it needs.
set -e
jars=$(python -c 'import os, pyspark; print(os.path.join(os.path.dirname(pyspark.__file__), "jars"))')
mkdir -p target/jvm/classes
javac -nowarn -d target/jvm/classes -cp "$jars/*" src/main/java/com/examples/Main.java
jar cf target/jvm/my_default_scala-assembly-0.1.jar -C target/jvm/classes .
