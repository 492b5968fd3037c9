import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { LibraryClient, managerStates } from "./library.ts";
import { ZooKeeperSession } from "./index.ts";

const nothing = () => undefined;
const require = createRequire(import.meta.url);

test("node-zookeeper-client is the version whose internals we know, and they are as we know them", () => {
  assert.equal(require("node-zookeeper-client/package.json").version, "1.1.3");
  const { STATES } = require("node-zookeeper-client/lib/ConnectionManager.js");
  assert.deepEqual(STATES, {
    DISCONNECTED: managerStates.disconnected,
    CONNECTING: managerStates.connecting,
    CONNECTED: managerStates.connected,
    CONNECTED_READ_ONLY: 3,
    CLOSING: managerStates.closing,
    CLOSED: managerStates.closed,
    SESSION_EXPIRED: managerStates.expired,
    AUTHENTICATION_FAILED: managerStates.authFailed,
  });
  const events = { nextServer: nothing, heard: nothing, state: nothing, broken: nothing };
  const library = new LibraryClient([{ host: "a", port: 1 }], 1_000, events);
  assert.equal(library.sessionTimeoutMs, 1_000);
  library.dispose();
});

const closeSession = -11;

/** Says yes to every connect, and answers every request after it with this error number. */
async function serverThatAnswers(errno: number) {
  const server = createServer((socket) => {
    let greeted = false;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      for (let at = 0; at + 4 <= chunk.length; at += 4 + chunk.readInt32BE(at)) {
        if (!greeted) {
          greeted = true;
          const hello = Buffer.alloc(4 + 36);
          hello.writeInt32BE(36, 0);
          hello.writeInt32BE(10_000, 8);
          hello.writeInt32BE(7, 16); // some session
          hello.writeInt32BE(16, 20);
          socket.write(hello);
          continue;
        }
        const reply = Buffer.alloc(4 + 16);
        reply.writeInt32BE(16, 0);
        reply.writeInt32BE(chunk.readInt32BE(at + 4), 4);
        reply.writeInt32BE(errno, 16);
        socket.write(reply);
        if (chunk.readInt32BE(at + 8) === closeSession) socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

for (const [errno, code] of [
  [-125, "refused"],
  [-999, "refused"],
  [-1, "refused"],
  [-118, "unavailable"],
] as const) {
  test(`the server's error ${errno}, known to the library or not, rejects with its number`, async () => {
    const { server, address } = await serverThatAnswers(errno);
    const session = new ZooKeeperSession({ servers: address, operationTimeoutMs: 1_000 });
    session.start();
    try {
      await session.connected();
      const suspended = new Promise((resolve) => session.onState(resolve));
      const asked = session.set("/a", Buffer.from("x"), { version: 1 });
      await assert.rejects(asked, {
        name: "ZooKeeperError",
        code,
        message: new RegExp(`\\(${errno}\\)`),
      });
      if (code === "unavailable") await suspended;
      else assert.equal(session.state, "connected");
    } finally {
      await session.close();
      server.close();
    }
  });
}

test("a peer that is no ZooKeeper is dropped, again and again, and close() ends that", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => undefined);
    socket.resume();
    socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = new ZooKeeperSession({
    servers: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    operationTimeoutMs: 300,
    random: () => 0.1,
  });
  session.start();
  await assert.rejects(session.get("/a"), { code: "unavailable" });
  await session.close();
  assert.ok(connections > 1);
  await new Promise((resolve) => server.close(resolve));
});
