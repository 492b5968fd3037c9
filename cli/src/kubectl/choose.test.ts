import assert from "node:assert/strict";
import { test } from "node:test";
import { CliError } from "../cli-error.ts";
import { choosePod, chooseResource, type ListedPod, type ListedResource } from "./choose.ts";

const resource = (name: string, topic: string, group: string): ListedResource => ({
  metadata: { name, namespace: "shop" },
  spec: { topic, consumerGroup: group },
});
const orders = resource("orders", "orders", "billing");
const shipping = resource("orders-shipping", "orders", "shipping");
const clicks = resource("clicks", "clicks", "billing");
const all = [orders, shipping, clicks];

const refusal = (run: () => unknown): CliError => {
  try {
    run();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
};

test("a resource is found by its topic, group or name, alone or together", () => {
  assert.equal(chooseResource(all, { topic: "clicks" }), clicks);
  assert.equal(chooseResource(all, { topic: "orders", group: "shipping" }), shipping);
  assert.equal(chooseResource(all, { name: "orders" }), orders);
  assert.equal(chooseResource([clicks], {}), clicks);
});

test("when several fit, each is told with what tells it apart", () => {
  const { exitCode, message } = refusal(() => chooseResource(all, { topic: "orders" }));
  assert.equal(exitCode, 2);
  assert.equal(
    message,
    "several KafkaProxies fit: shop/orders (topic orders, group billing), shop/orders-shipping (topic orders, group shipping). Choose one with --name, --group or -n",
  );
});

test("when none fits, it says what was asked for and what is there", () => {
  const { exitCode, message } = refusal(() =>
    chooseResource([clicks], { topic: "orders", group: "billing" }),
  );
  assert.equal(exitCode, 3);
  assert.equal(
    message,
    "no KafkaProxy of topic orders of group billing was found; looked at: shop/clicks (topic clicks, group billing). Choose the namespace with -n, or all with -A",
  );
  assert.match(refusal(() => chooseResource([], {})).message, /looked at: none at all/u);
});

const pod = (name: string, ready: boolean, phase = "Running", gone = false): ListedPod => ({
  metadata: { name, ...(gone && { deletionTimestamp: "2026-01-01T00:00:00Z" }) },
  spec: {
    containers: [
      { name: "mesh", args: ["--config", "mesh.yaml"] },
      { name: "proxy", args: ["serve", "--config", "/etc/kafkaproxy/proxy.yaml"] },
    ],
  },
  status: { phase, containerStatuses: [{ name: "proxy", ready }] },
});

test("a ready pod answers before one that is not, and its own arguments say where its configuration is", () => {
  const place = { container: "proxy", configFile: "/etc/kafkaproxy/proxy.yaml" };
  assert.deepEqual(choosePod(orders, [pod("orders-0", false), pod("orders-1", true)]), {
    pod: "orders-1",
    ...place,
  });
  assert.deepEqual(choosePod(orders, [pod("orders-0", false)]), { pod: "orders-0", ...place });
});

test("pods that start or end can't answer", () => {
  const pods = [pod("orders-0", false, "Pending"), pod("orders-1", true, "Running", true)];
  const { exitCode, message } = refusal(() => choosePod(orders, pods));
  assert.equal(exitCode, 4);
  assert.match(message, /^KafkaProxy shop\/orders has no pod that runs, of 2: /u);
});
