/** Operators that are killed and frozen, and an API server that is: the end state is the same. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endState, madeFor, turnsOf } from "../../test/harness/operator-work.ts";
import { startWorld, stop, type TestOperator, until, type World } from "./test-operator.ts";

const patience = { timeout: 300_000 };

const leads = (operator: TestOperator) => async (): Promise<boolean> =>
  (await operator.metrics()).get("kafkaproxy_operator_leader") === 1;

// Side by side, in a cluster each: an API server that is frozen is mostly a matter of waiting.
describe("the operator and its API server under faults", { concurrency: true }, () => {
  describe("operators that are killed and frozen", { concurrency: false }, () => {
    let world: World;
    before(async () => {
      world = await startWorld();
    }, patience);
    after(() => world.stop(), patience);

    it(
      "killed in the middle of its work, twice: the end state is as if it had not been, and nothing is made twice",
      patience,
      async () => {
        await world.kafka.createTopic("shared", { partitions: 2 });
        const gate = await world.gate();
        await world.cluster.apply(world.resource("torn", "shared", "replicas: 2"));
        for (const [kind, name] of [
          ["Service", "torn-proxy"],
          ["StatefulSet", "torn"],
        ] as const) {
          const held = gate.hold({ kind, name });
          const operator = await world.startOperator();
          await held;
          operator.signal("SIGKILL");
          await operator.ended();
          const there = await world.ownedBy("torn");
          assert.ok(there.includes("configmap/torn-client"), there.join());
          assert.ok(!there.includes("statefulset.apps/torn"), there.join());
          gate.open();
        }
        await gate.close();
        const operator = await world.startOperator();
        await until("finished", async () => (await world.replicas("torn")) === 2);
        await world.cluster.apply(world.resource("whole", "shared", "replicas: 2"));
        await until("whole", async () => (await world.replicas("whole")) === 2);
        for (const name of ["torn", "whole"]) {
          await until(`${name} is told`, async () => {
            return (await world.condition(name, "Degraded")) === "False AllWell";
          });
        }
        assert.deepEqual(
          endState("torn", await world.owned("torn")),
          endState("whole", await world.owned("whole")),
        );
        const made = madeFor("torn", world.writes());
        assert.deepEqual(made, [...new Set(made)]);
        assert.ok(made.includes("statefulsets/torn"), made.join());
        await stop(operator);
      },
    );

    it(
      "has one leader, whether the other is killed or frozen: who was replaced writes no more",
      patience,
      async () => {
        await world.kafka.createTopic("led", { partitions: 8 });
        const first = await world.startOperator({ elect: true, podName: "first" });
        await until("the first leads", leads(first));
        const second = await world.startOperator({ elect: true, podName: "second" });
        await world.cluster.apply(world.resource("led", "led", "replicas: 2"));
        await until("the first object", async () => (await world.ownedBy("led")).length > 0);
        first.signal("SIGKILL");
        await until(
          "the second leads and finishes",
          async () => (await world.replicas("led")) === 2,
        );
        await until("the second is said to lead", leads(second));
        const third = await world.startOperator({ elect: true, podName: "third" });
        second.signal("SIGSTOP");
        await world.kubectl("scale", "kpx", "led", "--replicas=3");
        await until("the third took over", async () => (await world.replicas("led")) === 3);
        second.signal("SIGCONT");
        await until("the second has noticed", async () => !(await leads(second)()));
        await world.kubectl("scale", "kpx", "led", "--replicas=4");
        await until("one still leads", async () => (await world.replicas("led")) === 4);
        assert.equal(await leads(third)(), true);
        await stop(second);
        await stop(third);
        // Statuses and events too: each writes in a time of its own, one after the other.
        const writes = world.writes().filter(({ name }) => /^led(?:$|[-.])/u.test(name));
        assert.deepEqual(turnsOf(writes), ["first", "second", "third"]);
      },
    );
  });

  describe("an API server that is killed and frozen", { concurrency: false }, () => {
    let world: World;
    before(async () => {
      world = await startWorld();
    }, patience);
    after(() => world.stop(), patience);

    it(
      "goes on after the API server was killed, and after it stood still for a minute and a half",
      patience,
      async () => {
        await world.kafka.createTopic("steady", { partitions: 4 });
        const leading = await world.startOperator({ elect: true });
        await world.cluster.apply(world.resource("steady", "steady", "replicas: 1"));
        await until("made", async () => (await world.replicas("steady")) === 1);
        await world.cluster.apiServer.kill();
        await sleep(3_000);
        await world.cluster.apiServer.start();
        await scale(2);
        await until("scaled after the kill", async () => (await world.replicas("steady")) === 2);
        // Longer than a lease: who led has to be chosen anew.
        await frozen(20_000);
        await scale(3);
        await until("scaled by a new leader", async () => (await world.replicas("steady")) === 3);
        await stop(leading);
        // No election that begins all anew, and longer than a watch may be silent.
        const alone = await world.startOperator();
        await until("it has begun", async () => {
          return (await alone.metrics()).get("kafkaproxy_operator_resources") !== 0;
        });
        await frozen(95_000);
        await scale(4);
        await until("scaled after the freeze", async () => (await world.replicas("steady")) === 4);
        await stop(alone);
      },
    );

    async function frozen(forMs: number): Promise<void> {
      world.cluster.apiServer.freeze();
      await sleep(forMs);
      world.cluster.apiServer.thaw();
    }

    /** As soon as the API server takes it. */
    async function scale(replicas: number): Promise<void> {
      await until(`${replicas} are asked for`, async () => {
        await world.kubectl("scale", "kpx", "steady", `--replicas=${replicas}`);
        return true;
      });
    }
  });
});
