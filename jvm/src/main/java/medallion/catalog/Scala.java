package medallion.catalog;

import java.util.List;
import java.util.Map;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** Java values as the Scala values that Spark's and Delta's methods take. */
final class Scala {
  private Scala() {}

  static <T> Option<T> some(T value) {
    return Option.apply(value);
  }

  static <T> Option<T> none() {
    return Option.empty();
  }

  static <T> Seq<T> seq(List<T> values) {
    return CollectionConverters.asScala(values).toSeq();
  }

  static <T> List<T> list(scala.collection.Seq<T> values) {
    return CollectionConverters.asJava(values);
  }

  static scala.collection.immutable.Map<String, String> map(Map<String, String> values) {
    return scala.collection.immutable.Map.from(CollectionConverters.asScala(values));
  }

  static Map<String, String> map(scala.collection.Map<String, String> values) {
    return CollectionConverters.asJava(values);
  }
}
