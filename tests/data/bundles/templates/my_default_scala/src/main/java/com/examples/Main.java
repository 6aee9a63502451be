package com.examples;

import org.apache.spark.sql.SparkSession;

/** Shows a range from the catalog and schema that the arguments name. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    SparkSession spark = session();
    spark.sql("USE CATALOG `" + option(args, "--catalog") + "`");
    spark.sql("USE SCHEMA `" + option(args, "--schema") + "`");
    spark.range(3).show();
    System.out.println("schema " + spark.catalog().currentDatabase());
  }

  private static SparkSession session() {
    if (System.getenv("DATABRICKS_RUNTIME_VERSION") == null) {
      throw new IllegalStateException("not on a cluster");
    }
    return (SparkSession) SparkSession.active();
  }

  private static String option(String[] args, String name) {
    for (int place = 0; place + 1 < args.length; place++) {
      if (args[place].equals(name)) {
        return args[place + 1];
      }
    }
    throw new IllegalArgumentException(name + " is missing");
  }
}
