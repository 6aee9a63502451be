"""A process without the driver's secret gets nothing from its RPC port, though it speaks Spark's own protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from java_jars import build_jar

from medallion.compute.connect import open_session
from medallion.compute.connection import Connection
from medallion.compute.driver import OPENS, DriverSpec, spark_settings
from medallion.compute.jars import spark_jars_folder
from medallion.settings import Settings

STRANGER = """
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.spark.SecurityManager;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.client.TransportClientBootstrap;
import org.apache.spark.network.sasl.SaslClientBootstrap;
import org.apache.spark.network.sasl.SecretKeyHolder;
import org.apache.spark.network.server.NoOpRpcHandler;
import org.apache.spark.network.shuffle.protocol.OpenBlocks;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;
import org.apache.spark.rpc.RpcAddress;
import org.apache.spark.rpc.RpcEnv;

public class Stranger {
  static RpcEnv make(SparkConf conf, String name, boolean client) {
    Object file = org.apache.spark.internal.config.package$.MODULE$.AUTH_SECRET_FILE();
    SecurityManager security = new SecurityManager(conf, scala.Option.empty(),
        (org.apache.spark.internal.config.ConfigEntry<scala.Option<String>>) file);
    return RpcEnv.create(name, "127.0.0.1", 0, conf, security, client);
  }

  static String ask(RpcEnv env, int port) {
    try {
      return "let in by " + env.setupEndpointRef(new RpcAddress("127.0.0.1", port), "endpoint-verifier").name();
    } catch (Throwable refused) {
      return "refused";
    }
  }

  static String fetch(int port, String block, boolean guess) {
    TransportConf conf = new TransportConf("shuffle", new MapConfigProvider(Map.of()));
    SecretKeyHolder holder = new SecretKeyHolder() {
      public String getSaslUser(String app) { return "sparkSaslUser"; }
      public String getSecretKey(String app) { return "a guess"; }
    };
    List<TransportClientBootstrap> steps = guess ? List.of(new SaslClientBootstrap(conf, "medallion", holder)) : List.of();
    TransportContext context = new TransportContext(conf, new NoOpRpcHandler(), true);
    try (TransportClient client = context.createClientFactory(steps).createClient("127.0.0.1", port)) {
      ByteBuffer answer = client.sendRpcSync(
          new OpenBlocks("medallion", "driver", new String[] {block}).toByteBuffer(), 20000);
      return answer.remaining() > 0 ? "gave a stream" : "gave nothing";
    } catch (Throwable refused) {
      return "refused";
    }
  }

  public static void main(String[] ports) {
    SparkConf conf = new SparkConf(false).set("spark.rpc.askTimeout", "20s").set("spark.rpc.lookupTimeout", "20s");
    RpcEnv open = make(conf, "open", false);
    RpcEnv stranger = make(conf, "stranger", true);
    System.out.println("open: " + ask(stranger, open.address().port()));
    System.out.println("driver: " + ask(stranger, Integer.parseInt(ports[0])));
    SparkConf own = new SparkConf(false).setMaster("local[1]").setAppName("own").set("spark.ui.enabled", "false")
        .set("spark.driver.host", "127.0.0.1").set("spark.driver.bindAddress", "127.0.0.1");
    SparkContext context = new SparkContext(own);
    long id = context.broadcast("x".repeat(99), scala.reflect.ClassTag$.MODULE$.<String>apply(String.class)).id();
    int blocks = SparkEnv.get().blockManager().blockManagerId().port();
    System.out.println("open blocks: " + fetch(blocks, "broadcast_" + id + "_piece0", false));
    for (boolean guess : new boolean[] {false, true}) {
      System.out.println("driver's blocks: " + fetch(Integer.parseInt(ports[1]), ports[2], guess));
    }
    System.exit(0);
  }
}
"""
PORTS = """
conf = spark.sparkContext.getConf()
assert spark.sparkContext.parallelize(range(4), 4).map(lambda n: n * n).sum() == 14
assert spark.range(100).repartition(7).groupBy("id").count().count() == 100
kept = spark.sparkContext.broadcast(list(range(1000)))
blocks = spark.sparkContext._jvm.org.apache.spark.SparkEnv.get().blockManager().blockManagerId().port()
print(conf.get("spark.driver.port"), blocks, f"broadcast_{kept._jbroadcast.id()}_piece0", flush=True)
time.sleep(300)
"""


@pytest.mark.spark
def test_a_stranger_on_this_machine_is_refused(
    start_task: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    jar = build_jar(tmp_path, "stranger", {"Stranger": STRANGER})
    task = start_task(PORTS)
    assert task.stdout is not None
    ports = task.stdout.readline().split()
    java = shutil.which("java")
    assert java, "these tests need a JDK"
    opens = [f"--add-opens={name}=ALL-UNNAMED" for name in OPENS]
    command = [java, *opens, "-cp", f"{jar}:{spark_jars_folder()}/*", "Stranger", *ports]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == [
        "open: let in by endpoint-verifier",
        "driver: refused",
        "open blocks: gave a stream",
        "driver's blocks: refused",
        "driver's blocks: refused",
    ], done.stderr[-3000:]


def test_the_secret_is_sparks_own_here_and_the_clusters_there(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, environ={})
    conf = spark_settings(DriverSpec(spark_conf={"spark.authenticate": "false"}), settings)
    assert conf["spark.authenticate"] == "true"
    own = {"spark.authenticate.enableSaslEncryption": "true", "spark.network.crypto.enabled": "true"}
    conf = spark_settings(DriverSpec(spark_conf=own), settings)
    assert {**own, "spark.authenticate": "true"}.items() <= conf.items()
    opened = DriverSpec(target_conf={"spark.authenticate": "false"})
    assert spark_settings(opened, settings)["spark.authenticate"] == "false"
    cluster = DriverSpec(
        master="spark://127.0.0.1:7077",
        spark_conf={"spark.authenticate.secret": "a job's"},
        target_conf={"spark.authenticate": "true", "spark.authenticate.secret": "the cluster's"},
    )
    conf = spark_settings(cluster, settings)
    assert (conf["spark.authenticate"], conf["spark.authenticate.secret"]) == ("true", "the cluster's")
    assert "spark.authenticate" not in spark_settings(DriverSpec(master="yarn"), settings)


def version_asked(port: int, token: str | None) -> str:
    """What a driver's Connect server tells one who shows this token: Spark's version, or how it refuses."""
    import grpc
    from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

    request = base_pb2.AnalyzePlanRequest(session_id=str(uuid4()))
    request.user_context.user_id = "medallion"
    request.spark_version.SetInParent()
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = base_pb2_grpc.SparkConnectServiceStub(channel).AnalyzePlan(request, metadata=metadata, timeout=60)
        except grpc.RpcError as refused:
            return str(refused.code().name)
    return str(answer.spark_version.version)


@pytest.mark.spark
def test_spark_connect_takes_nobody_without_its_token(connection_file: Path) -> None:
    connection = Connection.load(connection_file)
    port, token = open_session(connection, f"task-{uuid4()}", {})
    assert version_asked(port, token).startswith("4.")
    assert version_asked(port, None) == "UNAUTHENTICATED"
    assert version_asked(port, "a guess") == "UNAUTHENTICATED"
    jvm = psutil.Process(json.loads(connection_file.read_text())["pid"])
    (address,) = {item.laddr.ip for item in jvm.net_connections("tcp") if item.laddr.port == port and not item.raddr}
    assert address in {"127.0.0.1", "::ffff:127.0.0.1"}
