/** The operator as a process on a real API server; what counts is the state that comes out. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaProxyStatus } from "./api/index.ts";
import { startWorld, type TestOperator, type World } from "./test-operator.ts";

const patience = { timeout: 240_000 };
const ownedKinds = "statefulset,configmap,service,serviceaccount,pdb,networkpolicy";

async function until(
  what: string,
  holds: () => Promise<boolean>,
  withinMs = 90_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      if (await holds()) return;
    } catch (error) {
      // The API server may be away meanwhile.
      if (performance.now() > deadline) throw error;
    }
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(250);
  }
}

async function stop(operator: TestOperator): Promise<void> {
  operator.signal("SIGTERM");
  assert.equal(await operator.ended(), 0, operator.log.slice(-5).join("\n"));
}

describe("the operator on a real API server", () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  }, patience);
  after(() => world.stop(), patience);

  const statusOf = async (name: string): Promise<KafkaProxyStatus> =>
    (await world.get<{ status?: KafkaProxyStatus }>("kpx", name)).status ?? {};
  const condition = async (name: string, type: string): Promise<string> => {
    const found = (await statusOf(name)).conditions?.find((one) => one.type === type);
    return `${found?.status} ${found?.reason}`;
  };
  const replicas = async (name: string): Promise<number> =>
    (await world.get<{ spec: { replicas: number } }>("sts", name)).spec.replicas;
  const ownedBy = async (name: string): Promise<string[]> => {
    const label = `app.kubernetes.io/instance=${name}`;
    const text = await world.kubectl("get", ownedKinds, "-l", label, "-o", "name");
    return text.split("\n").filter((line) => line !== "");
  };
  const events = async (name: string): Promise<string[]> => {
    const { items } = await world.get<{ items: { reason: string }[] }>(
      "events",
      "--field-selector",
      `involvedObject.kind=KafkaProxy,involvedObject.name=${name}`,
    );
    return items.map(({ reason }) => reason);
  };

  it(
    "waits for a topic, is capped by it, grows with it, and leaves nothing behind",
    patience,
    async () => {
      const operator = await world.startOperator();
      await world.cluster.apply(world.resource("orders", "orders", "replicas: 5"));
      await until(
        "TopicNotFound",
        async () => (await condition("orders", "Degraded")) === "True TopicNotFound",
        15_000,
      );
      await world.kafka.createTopic("orders", { partitions: 2 });
      await until("as many as partitions", async () => (await replicas("orders")) === 2, 30_000);
      await until(
        "capped",
        async () => (await condition("orders", "ReplicasCapped")) === "True MoreThanPartitions",
      );
      assert.equal(await condition("orders", "Degraded"), "False AllWell");
      assert.deepEqual((await statusOf("orders")).lag, { messages: 0 });
      await world.kubectl("scale", "kpx", "orders", "--replicas=1");
      await until("scaled", async () => (await replicas("orders")) === 1);
      assert.deepEqual((await events("orders")).sort(), [
        "Capped",
        "Created",
        "Scaled",
        "Scaled",
        "TopicNotFound",
      ]);
      await world.kubectl("delete", "kpx", "orders");
      await until("nothing owned", async () => (await ownedBy("orders")).length === 0);
      await stop(operator);
    },
  );

  it(
    "takes back what a person changed, leaves what is theirs, and follows its switches",
    patience,
    async () => {
      await world.kafka.createTopic("clicks", { partitions: 3 });
      const operator = await world.startOperator();
      await world.cluster.apply(world.resource("clicks", "clicks", "replicas: 2"));
      await until("made", async () => (await replicas("clicks")) === 2);
      await world.kubectl("scale", "sts", "clicks", "--replicas=3");
      await until("back at 2", async () => (await replicas("clicks")) === 2);
      await world.kubectl("annotate", "sts", "clicks", "theirs=stays");
      await world.kubectl(
        "patch",
        "cm",
        "clicks-client",
        "--type=merge",
        "-p",
        '{"data":{"KAFKAPROXY_TOPIC":"other"}}',
      );
      await until(
        "the topic is ours again",
        async () =>
          (await world.get<{ data: Record<string, string> }>("cm", "clicks-client")).data[
            "KAFKAPROXY_TOPIC"
          ] === "clicks",
      );
      await world.kubectl("delete", "service", "clicks-proxy");
      await until("the service is back", async () =>
        (await ownedBy("clicks")).includes("service/clicks-proxy"),
      );
      const { metadata } = await world.get<{ metadata: { annotations: Record<string, string> } }>(
        "sts",
        "clicks",
      );
      assert.equal(metadata.annotations["theirs"], "stays");
      const policy = "networkpolicy.networking.k8s.io/clicks-proxy";
      await world.cluster.apply(
        world.resource("clicks", "clicks", "replicas: 2", "networkPolicy: { enabled: true }"),
      );
      await until("a policy", async () => (await ownedBy("clicks")).includes(policy));
      await world.cluster.apply(world.resource("clicks", "clicks", "replicas: 2"));
      await until("no policy", async () => !(await ownedBy("clicks")).includes(policy));
      await stop(operator);
    },
  );

  it("waits for a Secret, and rolls the pods when it changes", patience, async () => {
    await world.kafka.createTopic("locked", { partitions: 1 });
    const operator = await world.startOperator();
    await world.cluster.apply(
      world.resource(
        "locked",
        "locked",
        "listener: { tokenSecret: { name: tokens, key: tokens } }",
      ),
    );
    await until(
      "SecretMissing",
      async () => (await condition("locked", "Degraded")) === "True SecretMissing",
    );
    assert.ok(!(await ownedBy("locked")).includes("statefulset.apps/locked"));
    await world.kubectl("create", "secret", "generic", "tokens", "--from-literal=tokens=one");
    await until("made", async () => (await replicas("locked")) === 1);
    const hash = async (): Promise<string | undefined> =>
      (
        await world.get<{
          spec: { template: { metadata: { annotations: Record<string, string> } } };
        }>("sts", "locked")
      ).spec.template.metadata.annotations["kafkaproxy.dev/secrets-hash"];
    const first = await hash();
    await world.kubectl("patch", "secret", "tokens", "-p", '{"stringData":{"tokens":"two"}}');
    await until("another hash", async () => (await hash()) !== first);
    await stop(operator);
  });

  it("says which server is away, leaves what runs, and sees it come back", patience, async () => {
    await world.kafka.createTopic("outage", { partitions: 2 });
    const operator = await world.startOperator();
    await world.cluster.apply(world.resource("outage", "outage", "replicas: 2"));
    await until("made", async () => (await replicas("outage")) === 2);
    const degraded = (expected: string, withinMs: number): Promise<void> =>
      until(expected, async () => (await condition("outage", "Degraded")) === expected, withinMs);
    const [broker] = world.kafka.brokers;
    await broker!.kill();
    await degraded("True KafkaUnreachable", 30_000);
    assert.equal((await statusOf("outage")).partitions, 2);
    assert.equal(await replicas("outage"), 2);
    await broker!.start();
    await degraded("False AllWell", 60_000);
    await world.zookeeper.kill();
    await degraded("True ZooKeeperUnreachable", 60_000);
    await world.zookeeper.start();
    await degraded("False AllWell", 60_000);
    assert.equal(await replicas("outage"), 2);
    await stop(operator);
  });

  it(
    "goes on after the API server was killed, and after it stood still for a minute",
    patience,
    async () => {
      await world.kafka.createTopic("steady", { partitions: 4 });
      const operator = await world.startOperator({ elect: true });
      await world.cluster.apply(world.resource("steady", "steady", "replicas: 1"));
      await until("made", async () => (await replicas("steady")) === 1);
      await world.cluster.apiServer.kill();
      await sleep(3_000);
      await world.cluster.apiServer.start();
      await world.kubectl("scale", "kpx", "steady", "--replicas=2");
      await until("scaled after the kill", async () => (await replicas("steady")) === 2);
      world.cluster.apiServer.freeze();
      await sleep(60_000);
      world.cluster.apiServer.thaw();
      await until(
        "answers again",
        async () => (await world.kubectl("get", "--raw", "/readyz")) === "ok",
      );
      await world.kubectl("scale", "kpx", "steady", "--replicas=3");
      await until("scaled after the freeze", async () => (await replicas("steady")) === 3);
      await stop(operator);
    },
  );

  it("has one leader, whether the other is killed in its work or frozen", patience, async () => {
    await world.kafka.createTopic("led", { partitions: 8 });
    const first = await world.startOperator({ elect: true });
    await until(
      "the first leads",
      async () => (await first.metrics()).get("kafkaproxy_operator_leader") === 1,
    );
    const second = await world.startOperator({ elect: true });
    await world.cluster.apply(world.resource("led", "led", "replicas: 2"));
    await until("the first object", async () => (await ownedBy("led")).length > 0);
    first.signal("SIGKILL");
    await until("the second leads and finishes", async () => (await replicas("led")) === 2);
    const third = await world.startOperator({ elect: true });
    second.signal("SIGSTOP");
    await world.kubectl("scale", "kpx", "led", "--replicas=3");
    await until("the third took over", async () => (await replicas("led")) === 3);
    const thawedAt = Date.now();
    second.signal("SIGCONT");
    await until(
      "the second has noticed",
      async () => (await second.metrics()).get("kafkaproxy_operator_leader") === 0,
    );
    await world.kubectl("scale", "kpx", "led", "--replicas=4");
    await until("one still leads", async () => (await replicas("led")) === 4);
    assert.equal((await third.metrics()).get("kafkaproxy_operator_leader"), 1);
    const late = second.log.filter((line) => {
      const { time, msg } = JSON.parse(line) as { time: number; msg: string };
      return time >= thawedAt && /^(?:created|changed|removed|Scaled)/u.test(msg);
    });
    assert.deepEqual(late, [], "nothing was written by who did not lead");
    await stop(second);
    await stop(third);
  });

  it("asks for nothing to be written while 200 resources are idle", patience, async (context) => {
    await world.kafka.createTopic("many", { partitions: 2 });
    const names = Array.from({ length: 200 }, (_, index) => `many-${index}`);
    await world.cluster.apply(names.map((name) => world.resource(name, "many")).join(""));
    const operator = await world.startOperator();
    const startedAt = performance.now();
    await until(
      "all are made",
      async () => {
        const { items } = await world.get<{ items: { status?: KafkaProxyStatus }[] }>("kpx");
        const settled = items.filter(
          ({ status }) => status?.replicas !== 0 && status?.lag !== undefined,
        );
        return settled.length >= names.length;
      },
      180_000,
    );
    const tookMs = performance.now() - startedAt;
    let count = -1;
    await until("it is quiet", async () => {
      const before = count;
      count = world.writes().length;
      await sleep(5_000);
      return before === count;
    });
    const cpu = async (): Promise<number> =>
      (await operator.metrics()).get("process_cpu_seconds_total") ?? 0;
    const [quietSince, cpuBefore] = [Date.now(), await cpu()];
    await sleep(30_000);
    assert.deepEqual(
      world.writes().filter(({ at }) => at > quietSince),
      [],
    );
    const cpuPart = ((await cpu()) - cpuBefore) / 30;
    const rss = ((await operator.metrics()).get("process_resident_memory_bytes") ?? 0) / 2 ** 20;
    context.diagnostic(
      `200 resources in ${Math.round(tookMs / 1_000)} s; idle: 0 writes, ${(cpuPart * 100).toFixed(1)} % of a core, ${Math.round(rss)} MiB RSS`,
    );
    await stop(operator);
  });
});
