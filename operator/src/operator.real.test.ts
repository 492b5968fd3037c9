/** The operator as a process on a real API server; what counts is the state that comes out. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { podMonitorCrd } from "../../test/charts/monitoring.ts";
import { crdYaml, type KafkaProxyStatus } from "./api/index.ts";
import { startWorld, stop, type TestOperator, until, type World } from "./test-operator.ts";

const patience = { timeout: 240_000 };
const longPatience = { timeout: 600_000 };

interface Labelled {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
}

const policy = (field: string): string =>
  `networkPolicy: { enabled: true, workers: [{ ${field}: {} }] }`;

describe("the operator on a real API server", () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  }, patience);
  after(() => world.stop(), patience);
  // Nothing runs pods here: what stayed would be told as stuck in the middle of a later test.
  afterEach(() => world.kubectl("delete", "kpx", "--all"), patience);

  /** Waits for `status reason` of the condition; gives the message that came with it. */
  const degraded = async (name: string, expected: string, withinMs?: number): Promise<string> => {
    let words = "";
    await until(
      `${name} Degraded=${expected}`,
      async () => {
        const { conditions = [] } = await world.status(name);
        const found = conditions.find(({ type }) => type === "Degraded");
        words = found?.message ?? "";
        return `${found?.status} ${found?.reason}` === expected;
      },
      withinMs,
    );
    return words;
  };

  it("waits for a topic, is capped by it and grows with it", patience, async () => {
    const operator = await world.startOperator();
    await world.cluster.apply(world.resource("orders", "orders", "replicas: 5"));
    await degraded("orders", "True TopicNotFound", 15_000);
    await world.kafka.createTopic("orders", { partitions: 2 });
    await until(
      "as many as partitions",
      async () => (await world.replicas("orders")) === 2,
      30_000,
    );
    await until("capped, and all is well", async () => {
      const { conditions = [], lag } = await world.status("orders");
      const said = conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
      return (
        said.includes("ReplicasCapped=True MoreThanPartitions") &&
        said.includes("Degraded=False AllWell") &&
        lag?.messages === 0
      );
    });
    await world.kafka.addPartitions("orders", 4);
    await until(
      "as many as it has grown",
      async () => (await world.replicas("orders")) === 4,
      60_000,
    );
    await world.kubectl("scale", "kpx", "orders", "--replicas=1");
    await until("scaled", async () => (await world.replicas("orders")) === 1);
    const expected = ["Capped", "Created", "Scaled", "Scaled", "Scaled", "TopicNotFound"];
    let told: string[] = [];
    await until("all of it is told", async () => {
      // That a server was slow to answer may be told beside it.
      told = (await world.events("orders")).filter((reason) => expected.includes(reason));
      return told.length >= expected.length;
    });
    assert.deepEqual(told.sort(), expected);
    await world.kubectl("delete", "kpx", "orders");
    await until("nothing owned", async () => (await world.ownedBy("orders")).length === 0);
    await stop(operator);
  });

  it(
    "takes back what a person changed, leaves what is theirs, and follows its switches",
    patience,
    async () => {
      await world.kafka.createTopic("clicks", { partitions: 3 });
      const operator = await world.startOperator();
      await world.cluster.apply(world.resource("clicks", "clicks", "replicas: 2"));
      await until("made", async () => (await world.replicas("clicks")) === 2);
      await world.kubectl("scale", "sts", "clicks", "--replicas=3");
      await until("back at 2", async () => (await world.replicas("clicks")) === 2);
      await world.kubectl("annotate", "sts", "clicks", "theirs=stays");
      const patch = '{"data":{"KAFKAPROXY_TOPIC":"other"}}';
      await world.kubectl("patch", "cm", "clicks-client", "--type=merge", "-p", patch);
      const topic = async (): Promise<string | undefined> =>
        (await world.get<{ data: Record<string, string> }>("cm", "clicks-client")).data[
          "KAFKAPROXY_TOPIC"
        ];
      await until("the topic is ours again", async () => (await topic()) === "clicks");
      await world.kubectl("delete", "service", "clicks-proxy");
      await until("the service is back", async () =>
        (await world.ownedBy("clicks")).includes("service/clicks-proxy"),
      );
      const label = "app.kubernetes.io/managed-by";
      for (const change of ["-", "=somebody"]) {
        const overwrite = change === "-" ? [] : ["--overwrite"];
        await world.kubectl("label", "sts", "clicks", `${label}${change}`, ...overwrite);
        await until(`the label after ${change}`, async () => {
          const { metadata } = await world.get<Labelled>("sts", "clicks");
          return metadata.labels?.[label] === "kafka-proxy-operator";
        });
      }
      const { metadata } = await world.get<Labelled>("sts", "clicks");
      assert.equal(metadata.annotations?.["theirs"], "stays");
      const unowned = '[{"op":"remove","path":"/metadata/ownerReferences"}]';
      await world.kubectl("patch", "cm", "clicks-client", "--type=json", "-p", unowned);
      await until("it is adopted", async () => {
        const { metadata } = await world.get<Labelled>("cm", "clicks-client");
        return metadata.ownerReferences?.length === 1;
      });
      const networkPolicy = "networkpolicy.networking.k8s.io/clicks-proxy";
      await world.cluster.apply(
        world.resource("clicks", "clicks", "replicas: 2", "networkPolicy: { enabled: true }"),
      );
      await until("a policy", async () => (await world.ownedBy("clicks")).includes(networkPolicy));
      await world.cluster.apply(world.resource("clicks", "clicks", "replicas: 2"));
      await until(
        "no policy",
        async () => !(await world.ownedBy("clicks")).includes(networkPolicy),
      );
      const created = (await world.events("clicks")).filter((reason) => reason === "Created");
      assert.equal(created.length, 1, "a label that was gone is no pod that was made");
      await stop(operator);
    },
  );

  it(
    "leaves alone what somebody else has made, says so, and makes it once the name is free",
    patience,
    async () => {
      await world.kafka.createTopic("taken", { partitions: 1 });
      await world.kubectl("create", "configmap", "taken-client", "--from-literal=theirs=1");
      const before = await world.get<Labelled>("cm", "taken-client");
      const operator = await world.startOperator();
      await world.cluster.apply(world.resource("taken", "taken", "replicas: 1"));
      assert.match(
        await degraded("taken", "True NameTaken"),
        /^ConfigMap default\/taken-client is there already and is not ours\. /u,
      );
      await until("all else is made", async () => (await world.replicas("taken")) === 1);
      assert.deepEqual(await world.get<Labelled>("cm", "taken-client"), before);
      // Pods would read it: there are none, until it is ours.
      await world.kubectl(
        "create",
        "configmap",
        "foreign-proxy",
        "--from-literal=proxy.yaml=theirs",
      );
      await world.cluster.apply(world.resource("foreign", "taken", "replicas: 1"));
      await degraded("foreign", "True NameTaken");
      assert.ok(!(await world.ownedBy("foreign")).includes("statefulset.apps/foreign"));
      await world.kubectl("delete", "configmap", "foreign-proxy");
      await degraded("foreign", "False AllWell");
      await until("made at last", async () => (await world.replicas("foreign")) === 1);
      await world.kubectl("delete", "configmap", "taken-client");
      await degraded("taken", "False AllWell");
      assert.ok((await world.ownedBy("taken")).includes("configmap/taken-client"));
      await stop(operator);
    },
  );

  it(
    "says what the API server refuses, makes all else, and mends itself when it is corrected",
    patience,
    async () => {
      await world.kafka.createTopic("misspelt", { partitions: 1 });
      const operator = await world.startOperator();
      await world.cluster.apply(world.resource("misspelt", "misspelt", policy("podSelectr")));
      assert.match(
        await degraded("misspelt", "True ApplyRefused"),
        /^NetworkPolicy default\/misspelt-proxy: .*podSelectr/u,
      );
      await until("all else is made", async () => (await world.replicas("misspelt")) === 1);
      await world.cluster.apply(world.resource("misspelt", "misspelt", policy("podSelector")));
      await degraded("misspelt", "False AllWell");
      await stop(operator);
    },
  );

  it(
    "says why a spec can't be used that only another version of the CRD takes",
    patience,
    async () => {
      await world.kafka.createTopic("loose", { partitions: 1 });
      const loose = parse(crdYaml()) as {
        spec: { versions: { schema: { openAPIV3Schema: Loosened } }[] };
      };
      const spec = loose.spec.versions[0]?.schema.openAPIV3Schema.properties["spec"];
      delete spec?.properties["delivery"]?.properties["maxDeliveries"]?.minimum;
      const operator = await world.startOperator();
      await world.cluster.apply(JSON.stringify(loose));
      const unusable = world.resource("loose", "loose", "delivery: { maxDeliveries: -7 }");
      await until("the changed definition is served", async () => {
        await world.cluster.apply(unusable);
        return true;
      });
      assert.match(
        await degraded("loose", "True SpecRefused"),
        /^spec\.delivery\.maxDeliveries: found -7; .*Correct spec/u,
      );
      assert.deepEqual(await world.ownedBy("loose"), []);
      await world.cluster.apply(world.resource("loose", "loose", "delivery: { maxDeliveries: 7 }"));
      await world.cluster.apply(crdYaml());
      await degraded("loose", "False AllWell");
      await stop(operator);
    },
  );

  it(
    "says that Kafka refuses a login, and mends itself when the Secret is corrected",
    patience,
    async () => {
      await world.kafka.createTopic("payments", { partitions: 1 });
      const { bootstrapServers, caPem, username, password } = world.kafka.secure!;
      const passwordSecret = { name: "login", key: "password" };
      const operator = await world.startOperator();
      const literals = [
        `--from-literal=ca.crt=${caPem}`,
        "--from-literal=password=not-the-password",
      ];
      await world.kubectl("create", "secret", "generic", "login", ...literals);
      await world.cluster.apply(
        JSON.stringify({
          apiVersion: "kafkaproxy.dev/v1alpha1",
          kind: "KafkaProxy",
          metadata: { name: "payments", namespace: "default" },
          spec: {
            topic: "payments",
            consumerGroup: "payments",
            kafka: {
              bootstrapServers,
              tls: { caSecret: { name: "login" } },
              sasl: { mechanism: "scram-sha-512", username, passwordSecret },
            },
            zookeeper: { servers: [world.zookeeper.connectString] },
          },
        }),
      );
      const words = await degraded("payments", "True KafkaLoginRefused");
      assert.doesNotMatch(words, /not-the-password/u);
      const right = JSON.stringify({ stringData: { password } });
      await world.kubectl("patch", "secret", "login", "-p", right);
      await degraded("payments", "False AllWell");
      await until("made", async () => (await world.replicas("payments")) === 1);
      await stop(operator);
    },
  );

  it(
    "asked for a PodMonitor where the cluster knows none, says so and makes all else; once the kind is there, that too",
    patience,
    async () => {
      await world.kafka.createTopic("watched", { partitions: 1 });
      const operator = await world.startOperator();
      await world.cluster.apply(
        world.resource("watched", "watched", "podMonitor: { enabled: true }"),
      );
      assert.equal(
        await degraded("watched", "True PodMonitorUnavailable"),
        "spec.podMonitor.enabled is true, and the cluster does not know PodMonitor. Install the Prometheus operator, or set spec.podMonitor.enabled to false; all else works.",
      );
      await until("all else is made", async () => (await world.replicas("watched")) === 1);
      await world.cluster.apply(JSON.stringify(podMonitorCrd));
      await degraded("watched", "False AllWell");
      const { metadata } = await world.get<Labelled>("podmonitor", "watched-proxy");
      const { metadata: owner } = await world.get<{ metadata: { uid: string } }>("kpx", "watched");
      assert.deepEqual(
        metadata.ownerReferences?.map(({ uid }) => uid),
        [owner.uid],
      );
      await world.kubectl("delete", "crd", podMonitorCrd.metadata.name);
      await degraded("watched", "True PodMonitorUnavailable");
      await stop(operator);
    },
  );

  it(
    "answers probes, and counts its passes, those that failed, and what waits",
    patience,
    async () => {
      await world.kafka.createTopic("counted", { partitions: 1 });
      await world.kubectl("create", "configmap", "counted-client", "--from-literal=theirs=1");
      const operator = await world.startOperator();
      const well = { status: 200, text: "ok\n" };
      assert.deepEqual(await operator.ask("/healthz"), well);
      await until("ready", async () => (await operator.ask("/readyz")).status === 200);
      assert.equal((await operator.ask("/else")).status, 404);
      let metrics = new Map<string, number>();
      const metric = (name: string): number => metrics.get(`kafkaproxy_operator_${name}`) ?? 0;
      const passes = (result: string): number => metric(`reconciles_total{result="${result}"}`);
      const counted = async (what: string, holds: () => boolean): Promise<void> => {
        await until(what, async () => {
          metrics = await operator.metrics();
          return holds();
        });
      };
      await world.cluster.apply(world.resource("counted", "counted", "replicas: 2"));
      await counted(
        "it is tried again",
        () => passes("again") > 1 && metric("queue_failing") === 1,
      );
      assert.deepEqual([metric("leader"), metric("resources")], [1, 1]);
      assert.ok(metric('writes_total{verb="PATCH"}') > 0);
      await world.kubectl("delete", "configmap", "counted-client");
      await degraded("counted", "False AllWell");
      await counted("all is done", () => passes("done") > 0 && metric("queue_failing") === 0);
      const failed = passes("failed");
      await world.cluster.apiServer.kill();
      // More proxies are to be made, and can't be.
      await world.kafka.addPartitions("counted", 2);
      await counted(
        "a pass has failed",
        () => passes("failed") > failed && metric("queue_failing") === 1,
      );
      assert.deepEqual(await operator.ask("/healthz"), well);
      await world.cluster.apiServer.start();
      await until("made", async () => (await world.replicas("counted")) === 2);
      await counted("nothing waits", () => metric("queue_failing") + metric("queue_depth") === 0);
      const total = ["done", "waiting", "again", "failed"].reduce(
        (sum, one) => sum + passes(one),
        0,
      );
      assert.equal(metric("reconcile_duration_seconds_count"), total);
      assert.equal(metric('reconcile_duration_seconds_bucket{le="+Inf"}'), total);
      await stop(operator);
    },
  );

  it(
    "says that pods take too long to serve, as a condition and an event, until they do",
    patience,
    async () => {
      await world.kafka.createTopic("stuck", { partitions: 1 });
      const before = await world.startOperator();
      await world.cluster.apply(world.resource("stuck", "stuck", "replicas: 1"));
      await until("a pod is waited for", async () => {
        return (await world.condition("stuck", "Progressing")) === "True WaitingForPods";
      });
      assert.equal(await world.condition("stuck", "Degraded"), "False AllWell");
      await stop(before);
      // No node is there to run the pod. An hour of that is told by the status, which says since when.
      const anHourAgo = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+/u, "");
      const { conditions = [] } = await world.status("stuck");
      await patchStatus("kpx", "stuck", {
        conditions: conditions.map((one) =>
          one.type === "Progressing" ? { ...one, lastTransitionTime: anHourAgo } : one,
        ),
      });
      const after = await world.startOperator();
      assert.equal(
        await degraded("stuck", "True RolloutStuck"),
        "After more than 3 minutes 0 of 1 proxy serve. Look at the pods: kubectl describe pod, kubectl logs.",
      );
      await until("the event", async () => (await world.events("stuck")).includes("RolloutStuck"));
      // As a kubelet would say it.
      const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
      await patchStatus("pod", "stuck-0", ready);
      await degraded("stuck", "False AllWell");
      assert.equal(await world.condition("stuck", "Progressing"), "False Complete");
      await stop(after);
    },
  );

  async function patchStatus(kind: string, name: string, status: object): Promise<void> {
    const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
    await world.kubectl("patch", kind, name, ...patch);
  }

  it("waits for a Secret, and rolls the pods when it changes", patience, async () => {
    await world.kafka.createTopic("locked", { partitions: 1 });
    const operator = await world.startOperator();
    const secret = "listener: { tokenSecret: { name: tokens, key: tokens } }";
    await world.cluster.apply(world.resource("locked", "locked", secret));
    await degraded("locked", "True SecretMissing");
    assert.ok(!(await world.ownedBy("locked")).includes("statefulset.apps/locked"));
    await world.kubectl("create", "secret", "generic", "tokens", "--from-literal=tokens=one");
    await until("made", async () => (await world.replicas("locked")) === 1);
    const hash = async (): Promise<string | undefined> =>
      (await world.get<{ spec: { template: Labelled } }>("sts", "locked")).spec.template.metadata
        .annotations?.["kafkaproxy.dev/secrets-hash"];
    const first = await hash();
    await world.kubectl("patch", "secret", "tokens", "-p", '{"stringData":{"tokens":"two"}}');
    await until("another hash", async () => (await hash()) !== first);
    await stop(operator);
  });

  it("says which server is away, leaves what runs, and sees it come back", patience, async () => {
    await world.kafka.createTopic("outage", { partitions: 2 });
    const operator = await world.startOperator();
    await world.cluster.apply(world.resource("outage", "outage", "replicas: 2"));
    await until("made", async () => (await world.replicas("outage")) === 2);
    const [broker] = world.kafka.brokers;
    await broker!.kill();
    await degraded("outage", "True KafkaUnreachable", 30_000);
    assert.equal((await world.status("outage")).partitions, 2);
    assert.equal(await world.replicas("outage"), 2);
    await broker!.start();
    await degraded("outage", "False AllWell", 60_000);
    await world.zookeeper.kill();
    await degraded("outage", "True ZooKeeperUnreachable", 60_000);
    await until("both are told", async () => {
      const told = await world.events("outage");
      return told.includes("KafkaUnreachable") && told.includes("ZooKeeperUnreachable");
    });
    await world.zookeeper.start();
    await degraded("outage", "False AllWell", 60_000);
    assert.equal(await world.replicas("outage"), 2);
    await stop(operator);
  });

  it(
    "asks for nothing to be written while 200 resources are idle",
    longPatience,
    async (context) => {
      await world.kafka.createTopic("many", { partitions: 2 });
      await world.kubectl("create", "secret", "generic", "many", "--from-literal=tokens=one");
      const names = Array.from({ length: 200 }, (_, index) => `many-${index}`);
      const secret = "listener: { tokenSecret: { name: many, key: tokens } }";
      // Their pods never become ready. For as long as this no rollout is told as stuck.
      const drain = "drainTimeout: 1h";
      const resources = names.map((name, n) =>
        world.resource(name, "many", drain, ...(n % 10 === 0 ? [secret] : [])),
      );
      await world.cluster.apply(resources.join(""));
      const operator = await world.startOperator();
      const startedAt = performance.now();
      await until(
        "all are made",
        async () => {
          const { items } = await world.get<{
            items: { metadata: { name: string }; status?: KafkaProxyStatus }[];
          }>("kpx");
          const settled = items.filter(
            ({ metadata, status }) =>
              metadata.name.startsWith("many-") &&
              status?.replicas !== 0 &&
              status?.lag !== undefined,
          );
          return settled.length === names.length;
        },
        360_000,
      );
      const tookMs = performance.now() - startedAt;
      let count = -1;
      await until("it is quiet", async () => {
        const before = count;
        count = world.writes().length;
        await sleep(5_000);
        return before === count;
      });
      const [quietSince, cpuBefore] = [Date.now(), await cpuSeconds(operator)];
      const { length: said } = operator.log;
      // Longer than the operator's own look at each resource, which comes every minute.
      const idleMs = 65_000;
      await sleep(idleMs);
      const writes = world.writes().filter(({ at }) => at > quietSince);
      const what = writes.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
      const why = operator.log.slice(said);
      assert.equal(writes.length, 0, ["written:", ...what, "said meanwhile:", ...why].join("\n"));
      const cpuPart = (((await cpuSeconds(operator)) - cpuBefore) * 1_000) / idleMs;
      const rssBytes = (await operator.metrics()).get("process_resident_memory_bytes") ?? 0;
      context.diagnostic(
        `200 resources in ${Math.round(tookMs / 1_000)} s; idle: 0 writes in ${idleMs / 1_000} s, ${(cpuPart * 100).toFixed(1)} % of a core, ${Math.round(rssBytes / 1e6)} MB RSS`,
      );
      await stop(operator);
    },
  );
});

interface Loosened {
  readonly properties: Readonly<Record<string, Loosened>>;
  minimum?: number;
}

async function cpuSeconds(operator: TestOperator): Promise<number> {
  return (await operator.metrics()).get("process_cpu_seconds_total") ?? 0;
}
