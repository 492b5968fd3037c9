import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type KafkaProxy,
  type KafkaProxyStatus,
  problemMessage,
  problemReasons,
  readResource,
} from "../api/index.ts";
import { type Observed, refusedStatus, type Replicas, statusOf } from "./index.ts";

const now = Date.parse("2026-03-01T12:00:00.750Z");

const resource = (spec: object = {}, status?: KafkaProxyStatus): KafkaProxy =>
  readResource({
    apiVersion: "kafkaproxy.dev/v1alpha1",
    kind: "KafkaProxy",
    metadata: { name: "orders", namespace: "shop", generation: 3 },
    spec: {
      topic: "orders",
      consumerGroup: "billing",
      replicas: 2,
      kafka: { bootstrapServers: ["kafka:9092"] },
      zookeeper: { servers: ["zk:2181"] },
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  });

const two: Replicas = { asked: 2, wanted: 2, partitions: 12 };

const observed = (ready: number, more: Partial<Observed> = {}, set: object = {}): Observed => ({
  now,
  statefulSet: {
    metadata: { generation: 1 },
    spec: { replicas: 2 },
    status: {
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: ready,
      updatedReplicas: 2,
      currentRevision: "a",
      updateRevision: "a",
      ...set,
    },
  },
  problems: [],
  lag: undefined,
  deadLetters: undefined,
  ...more,
});

const shown = ({ conditions = [] }: KafkaProxyStatus): string[] =>
  conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

test("all is well", () => {
  const status = statusOf(
    resource(),
    two,
    observed(2, { lag: { messages: 7, oldestAge: "2s" }, deadLetters: { retained: 0 } }),
  );
  assert.deepEqual(shown(status), [
    "Ready=True Serving",
    "Progressing=False Complete",
    "Degraded=False AllWell",
    "ReplicasCapped=False WithinPartitions",
  ]);
  assert.deepEqual(
    { ...status, conditions: undefined },
    {
      observedGeneration: 3,
      conditions: undefined,
      replicas: 2,
      readyReplicas: 2,
      selector:
        "app.kubernetes.io/name=kafka-proxy,app.kubernetes.io/instance=orders,app.kubernetes.io/component=proxy",
      partitions: 12,
      lag: { messages: 7, oldestAge: "2s" },
      deadLetters: { retained: 0 },
    },
  );
  for (const { lastTransitionTime, observedGeneration } of status.conditions ?? []) {
    assert.equal(lastTransitionTime, "2026-03-01T12:00:00Z");
    assert.equal(observedGeneration, 3);
  }
});

test("when nothing has changed it is the very same status, whatever the time", () => {
  const first = statusOf(resource(), two, observed(2));
  const later = resource({}, first);
  assert.equal(statusOf(later, two, observed(2, { now: now + 3_600_000 })), later.status);
  const changed = statusOf(later, two, observed(1, { now: now + 3_600_000 }));
  assert.notEqual(changed, later.status);
  const time = (type: string) =>
    changed.conditions?.find((each) => each.type === type)?.lastTransitionTime;
  assert.equal(time("Ready"), "2026-03-01T13:00:00Z");
  assert.equal(time("Degraded"), "2026-03-01T12:00:00Z");
});

test("a rollout takes one of several away and stays ready; a single one does not", () => {
  const rolling = { updateRevision: "b", updatedReplicas: 1 };
  const several = statusOf(resource(), two, observed(1, {}, rolling));
  assert.deepEqual(shown(several).slice(0, 2), [
    "Ready=True Serving",
    "Progressing=True RollingOut",
  ]);
  const one = statusOf(
    resource({ replicas: 1 }),
    { asked: 1, wanted: 1, partitions: 12 },
    observed(0, {}, { ...rolling, updatedReplicas: 0 }),
  );
  assert.deepEqual(shown(one).slice(0, 2), [
    "Ready=False PodsNotReady",
    "Progressing=True RollingOut",
  ]);
});

test("before there is anything, while it scales, and while pods start", () => {
  const none = statusOf(resource(), two, observed(0, { statefulSet: undefined }));
  assert.deepEqual(shown(none).slice(0, 2), [
    "Ready=False PodsNotReady",
    "Progressing=True Creating",
  ]);
  const four: Replicas = { asked: 4, wanted: 4, partitions: 12 };
  const scaling = statusOf(resource({ replicas: 4 }), four, observed(2));
  assert.deepEqual(shown(scaling).slice(0, 2), [
    "Ready=False PodsNotReady",
    "Progressing=True Scaling",
  ]);
  const starting = statusOf(resource(), two, observed(1));
  assert.deepEqual(shown(starting).slice(0, 2), [
    "Ready=False PodsNotReady",
    "Progressing=True WaitingForPods",
  ]);
});

test("capped, and unknown", () => {
  const capped = statusOf(
    resource({ replicas: 10 }),
    { asked: 10, wanted: 2, partitions: 2 },
    observed(2),
  );
  assert.equal(
    capped.conditions?.[3]?.message,
    "10 proxies are asked for, and the topic has 2 partitions: 2 run. Add partitions, or set spec.replicas to 2.",
  );
  const unknown = statusOf(
    resource(),
    { asked: 2, wanted: 0, partitions: undefined },
    observed(0, {
      statefulSet: undefined,
      problems: [{ reason: "TopicNotFound", found: "Kafka at kafka:9092 has no topic orders" }],
    }),
  );
  assert.deepEqual(shown(unknown), [
    "Ready=False TopicNotFound",
    "Progressing=False Waiting",
    "Degraded=True TopicNotFound",
    "ReplicasCapped=Unknown PartitionsUnknown",
  ]);
  assert.equal("partitions" in unknown, false);
});

test("scaled to zero, and paused", () => {
  const zero = statusOf(
    resource({ replicas: 0 }),
    { asked: 0, wanted: 0, partitions: 12 },
    observed(0, {}, { replicas: 0, updatedReplicas: 0 }),
  );
  assert.equal(shown(zero)[0], "Ready=False ScaledToZero");
  assert.equal(
    shown(statusOf(resource({ paused: true }), two, observed(2)))[0],
    "Ready=True Paused",
  );
});

test("problems are all told, the gravest gives the reason, and each says what to do", () => {
  const status = statusOf(
    resource(),
    two,
    observed(2, {
      problems: [
        { reason: "PodMonitorUnavailable", found: "The cluster has no PodMonitor" },
        { reason: "KafkaUnreachable", found: "No broker of kafka:9092 answers" },
        { reason: "KafkaUnreachable", found: "No broker of kafka:9092 answers" },
      ],
    }),
  );
  assert.deepEqual(shown(status)[0], "Ready=True Serving", "what runs is left running");
  assert.deepEqual(shown(status)[2], "Degraded=True KafkaUnreachable");
  assert.equal(
    status.conditions?.[2]?.message,
    "No broker of kafka:9092 answers. Check spec.kafka.bootstrapServers, the brokers, and the way from the operator to them; what runs is left running. The cluster has no PodMonitor. Install the Prometheus operator, or set spec.podMonitor.enabled to false; all else works.",
  );
  for (const reason of problemReasons) {
    assert.match(reason, /^[A-Z][A-Za-z]+$/u);
    assert.ok(problemMessage({ reason, found: "X" }).length > 20);
  }
});

test("a rollout that does not end is stuck, counted from the newest spec", () => {
  const begun = statusOf(resource(), two, observed(1));
  const inTime = statusOf(resource({}, begun), two, observed(1, { now: now + 290_000 }));
  assert.equal(shown(inTime)[2], "Degraded=False AllWell");
  const late = observed(1, { now: now + 302_000 });
  const stuck = statusOf(resource({}, begun), two, late);
  assert.equal(shown(stuck)[2], "Degraded=True RolloutStuck");
  assert.match(stuck.conditions?.[2]?.message ?? "", /more than 5 minutes 1 of 2 proxies/u);
  const other = resource({}, begun);
  const newSpec = { ...other, metadata: { ...other.metadata, generation: 4 } };
  const again = statusOf(newSpec, two, late);
  assert.equal(shown(again)[2], "Degraded=False AllWell");
  assert.equal(again.conditions?.[1]?.lastTransitionTime, "2026-03-01T12:05:02Z");
});

test("a spec that can't be used is told, and what was last seen stays", () => {
  const before = statusOf(resource(), two, observed(2));
  const raw = { metadata: { generation: 4 }, status: before };
  const problems = ["spec.replicas: found -1; 0 or more", "spec.speed: unknown"];
  const refused = refusedStatus(raw, problems, now + 5_000);
  assert.deepEqual(shown(refused), [
    "Ready=True Serving",
    "Progressing=False Complete",
    "Degraded=True SpecRefused",
    "ReplicasCapped=False WithinPartitions",
  ]);
  assert.deepEqual(refused.conditions?.[2], {
    type: "Degraded",
    status: "True",
    reason: "SpecRefused",
    message:
      "spec.replicas: found -1; 0 or more; spec.speed: unknown. Correct spec; what runs is left as it was.",
    observedGeneration: 4,
    lastTransitionTime: "2026-03-01T12:00:05Z",
  });
  assert.equal(refused.readyReplicas, 2);
  assert.equal(refusedStatus({ ...raw, status: refused }, problems, now + 9_000), refused);
  assert.deepEqual(shown(refusedStatus({ metadata: {} }, problems, now)), [
    "Degraded=True SpecRefused",
  ]);
});
