import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { FakeProxy, FakeTopic } from "./testing/fake-proxy.ts";

/** The machine's own Node.js, where it is an older one than the repository's. */
function olderNode(): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .map((folder) => join(folder, "node"))
    .filter((path) => existsSync(path))
    .find((path) => {
      const version = Number(
        execFileSync(path, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }),
      );
      return version >= 20 && version < 24;
    });
}

const program = `
  import { connect } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
  const client = await connect();
  let seen = 0;
  const worker = client.work(async (message, { signal }) => {
    if (message.text() === "1" && message.attempt === 1) throw new Error("once more");
    signal.throwIfAborted();
    if (++seen === 100) void client.close();
  });
  await worker.finished;
  console.log(JSON.stringify(worker.stats));
`;

for (const [name, node] of [
  ["the repository's Node.js", process.execPath],
  ["the machine's older Node.js", olderNode()],
] as const) {
  test(`what is published runs on ${name}`, {
    skip: node === undefined && "none of 20 to 23 here",
  }, async () => {
    for (const mode of ["pull", "push"]) {
      const topic = new FakeTopic();
      topic.produce(0, 100);
      const proxy = await new FakeProxy(topic).start();
      const { stdout } = await promisify(execFile)(
        node ?? "",
        ["--input-type=module", "--eval", program],
        {
          env: {
            KAFKAPROXY_PROXIES: proxy.address,
            KAFKAPROXY_TOPIC: "orders",
            KAFKAPROXY_CONSUMER_GROUP: "billing",
            KAFKAPROXY_MODE: mode,
          },
          timeout: 60_000,
        },
      );
      const { acked, nacked } = JSON.parse(stdout);
      assert.deepEqual({ acked, nacked }, { acked: 100, nacked: 1 });
      await proxy.stop();
    }
  });
}
