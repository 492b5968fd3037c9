import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { KafkaError } from "@kafkaproxy/kafka";
import { ZooKeeperError } from "@kafkaproxy/zookeeper";
import { type KafkaProxy, readResource } from "../api/index.ts";
import { type KubeClient, KubeError } from "../runtime/index.ts";
import { quiet, until } from "../runtime/test-api.ts";
import type { Connections } from "./connections.ts";
import { Observer, type ObserverOptions } from "./observer.ts";
import type { PodAddress } from "./pod-status.ts";

function resourceOf(spec: object = {}, status?: KafkaProxy["status"]): KafkaProxy {
  const resource = readResource({
    apiVersion: "kafkaproxy.dev/v1alpha1",
    kind: "KafkaProxy",
    metadata: { name: "orders", namespace: "shop", uid: "1" },
    spec: {
      topic: "orders",
      consumerGroup: "billing",
      kafka: { bootstrapServers: ["kafka:9092"] },
      zookeeper: { servers: ["zk:2181"] },
      ...spec,
    },
  });
  return status === undefined ? resource : { ...resource, status };
}

const never = <T>(): Promise<T> => new Promise(() => undefined);

/** What lies around an observer: two partitions, and nothing to do. */
class Surroundings {
  readonly servers: Omit<Connections, "release"> = {
    partitions: async () => 2,
    lag: async () => 0,
    checkZooKeeper: async () => undefined,
  };
  secret: () => Record<string, string> = () => ({});
  pods: PodAddress[] = [];
  looks = 0;
  acquired = 0;
  released = 0;
  changes = 0;

  observe(
    context: TestContext,
    resource: KafkaProxy,
    options: Pick<ObserverOptions, "everyMs"> = { everyMs: 20 },
  ): Observer {
    const client: KubeClient = {
      request: async <T>() =>
        ({ metadata: { uid: "1", resourceVersion: "1" }, data: this.secret() }) as T,
      async *lines() {
        yield* [];
        await never();
      },
    };
    const observer = new Observer(resource, {
      client,
      pool: {
        acquire: () => {
          this.acquired += 1;
          return { ...this.servers, release: async () => void (this.released += 1) };
        },
      },
      pods: () => {
        this.looks += 1;
        return this.pods;
      },
      onChange: () => (this.changes += 1),
      logger: quiet,
      random: () => 1,
      ...options,
    });
    context.after(() => observer.close());
    return observer;
  }
}

/** A proxy's admin port; what it says is asked each time, undefined: it hangs up. */
async function pod(context: TestContext, answer: () => unknown): Promise<number> {
  const server = createServer((request, response) => {
    const said = answer();
    if (said === undefined) request.socket.destroy();
    else response.end(JSON.stringify(said));
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const reasonsOf = (observer: Observer): string[] | undefined =>
  observer.facts?.problems.map(({ reason }) => reason);

const withSecret = { listener: { tokenSecret: { name: "tokens" } } };

test("a Secret that may not be read is a problem with the API server's words, until it may", async (context) => {
  const around = new Surroundings();
  around.secret = () => {
    throw new KubeError("forbidden", 'secrets "tokens" is forbidden');
  };
  const observer = around.observe(context, resourceOf(withSecret));
  await until("a problem", () => observer.facts !== undefined);
  const { secrets, problems } = observer.facts!;
  assert.equal(secrets.hash, undefined);
  assert.deepEqual(problems, [
    {
      reason: "SecretUnreadable",
      found:
        'spec.listener.tokenSecret names Secret shop/tokens, which may not be read: secrets "tokens" is forbidden',
    },
  ]);
  around.secret = () => ({ tokens: "b25l" });
  await until("none", () => observer.facts?.problems.length === 0);
  assert.notEqual(observer.facts?.secrets.hash, undefined);
});

test("a Secret that is not there is told apart from one that may not be read", async (context) => {
  const around = new Surroundings();
  around.secret = () => {
    throw new KubeError("not-found", "no such Secret");
  };
  const observer = around.observe(context, resourceOf(withSecret));
  await until("a problem", () => observer.facts !== undefined);
  assert.deepEqual(reasonsOf(observer), ["SecretMissing"]);
});

test("a Secret that is there now is missing no more, although a server fails at that look", async (context) => {
  const around = new Surroundings();
  around.secret = () => {
    throw new KubeError("not-found", "no such Secret");
  };
  const observer = around.observe(context, resourceOf(withSecret));
  await until("a problem", () => observer.facts !== undefined);
  let asked = 0;
  around.servers.partitions = async () => {
    asked += 1;
    throw new KafkaError("not-leader", "it moves");
  };
  around.secret = () => ({ tokens: "b25l" });
  await until("told anew", () => observer.facts?.secrets.hash !== undefined);
  assert.deepEqual([asked, reasonsOf(observer)], [1, []]);
});

test("while a server fails, and is looked at often, the moving lag is not told each time", async (context) => {
  const around = new Surroundings();
  let looks = 0;
  around.servers.lag = async () => (looks += 1);
  around.servers.checkZooKeeper = async () => {
    throw new ZooKeeperError("unavailable", "away");
  };
  const observer = around.observe(context, resourceOf(), { everyMs: 60_000 });
  await until("told", () => observer.facts !== undefined);
  const first = observer.facts?.lag;
  await until("looked at again", () => looks >= 4);
  assert.deepEqual(observer.facts?.lag, first);
  assert.equal(around.changes, 1);
  assert.deepEqual(reasonsOf(observer), ["ZooKeeperUnreachable"]);
});

test("a failure that is over at the next look is never told", async (context) => {
  const around = new Surroundings();
  let failed = false;
  around.servers.partitions = async () => {
    if (around.looks > 2) return 3;
    if (around.looks < 2) return 2;
    failed = true;
    throw new KafkaError("not-leader", "it moves");
  };
  const observer = around.observe(context, resourceOf());
  await until("3 partitions", () => observer.facts?.partitions === 3);
  assert.equal(failed, true);
  assert.equal(around.changes, 2, "2 partitions, then 3");
});

const letters = (partitions: number[], retained: number) => ({
  partitions: partitions.map((partition) => ({ partition })),
  deadLetters: { retained },
});

test("dead letters stay as last known while a pod is silent, and when there is none", async (context) => {
  const around = new Surroundings();
  let said: unknown = letters([0, 1], 3);
  const port = await pod(context, () => said);
  around.pods = [{ name: "orders-0", ip: "127.0.0.1" }];
  const observer = around.observe(context, resourceOf({ admin: { port } }));
  await until("3", () => observer.facts?.deadLetters?.retained === 3);
  const lookedOver = async (): Promise<void> => {
    // The look that is under way may have begun before.
    const enough = around.looks + 2;
    await until("looked over", () => around.looks >= enough);
    assert.deepEqual(observer.facts?.deadLetters, { retained: 3 });
  };
  said = undefined;
  await lookedOver();
  said = letters([0], 1);
  await lookedOver();
  around.pods = [];
  await lookedOver();
  around.pods = [{ name: "orders-0", ip: "127.0.0.1" }];
  said = letters([0, 1], 4);
  await until("4", () => observer.facts?.deadLetters?.retained === 4);
});

test("an operator that has just started knows them from the status; without one there is none", async (context) => {
  const around = new Surroundings();
  const known = around.observe(context, resourceOf({}, { deadLetters: { retained: 7 } }));
  const unknown = around.observe(context, resourceOf());
  await until("looked", () => known.facts !== undefined && unknown.facts !== undefined);
  assert.deepEqual(known.facts?.deadLetters, { retained: 7 });
  assert.equal(unknown.facts?.deadLetters, undefined);
});

test("close() waits for no server that does not answer, and lets the connections go", async (context) => {
  const around = new Surroundings();
  let asked = false;
  around.servers.lag = () => {
    asked = true;
    return never();
  };
  around.servers.checkZooKeeper = never;
  const observer = around.observe(context, resourceOf());
  await until("asked", () => asked);
  await observer.close();
  assert.deepEqual([around.acquired, around.released], [1, 1]);
  assert.equal(observer.facts, undefined);
});
