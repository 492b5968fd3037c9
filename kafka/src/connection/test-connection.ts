import assert from "node:assert/strict";
import { Connection } from "./kafkajs.ts";

const quiet = {
  namespace: () => quiet,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** kafkajs' own connection, before it is connected. */
export function unconnected(): Connection {
  return new Connection({
    host: "127.0.0.1",
    port: 1,
    clientId: "test",
    logger: quiet,
    ssl: null,
    sasl: null,
    connectionTimeout: 10,
    requestTimeout: 10,
    enforceRequestTimeout: false,
    socketFactory: () => assert.fail("nothing is connected here"),
  });
}
