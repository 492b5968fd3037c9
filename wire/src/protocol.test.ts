import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeFrame,
  errorCodeFor,
  errorCodes,
  looksLikeOtherProtocol,
  negotiateProtocol,
  WireError,
  wireErrorCodes,
} from "./index.ts";

test("the highest common version is chosen, or none", () => {
  assert.equal(negotiateProtocol({ minProtocol: 1, maxProtocol: 1 }), 1);
  assert.equal(negotiateProtocol({ minProtocol: 0, maxProtocol: 9 }), 1);
  assert.equal(negotiateProtocol({ minProtocol: 2, maxProtocol: 9 }), undefined);
  assert.equal(negotiateProtocol({ minProtocol: 0, maxProtocol: 0 }), undefined);
  assert.equal(negotiateProtocol({ minProtocol: 3, maxProtocol: 1 }), undefined);
});

test("HTTP, TLS and Kafka are told from a client of ours", () => {
  const http = ["GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "OPTIONS * H"];
  for (const start of http) {
    assert.equal(looksLikeOtherProtocol(Buffer.from(start)), "http", start);
  }
  // The first bytes of what openssl s_client sends.
  const tls = Buffer.from("160301013f0100013b0303", "hex");
  assert.equal(looksLikeOtherProtocol(tls), "tls");
  // ApiVersions v3 and Metadata v12 as the Java client sends them.
  const apiVersions = Buffer.from("0000003700120003000000010008", "hex");
  const metadata = Buffer.from("000000230003000c00000002", "hex");
  assert.equal(looksLikeOtherProtocol(apiVersions), "kafka");
  assert.equal(looksLikeOtherProtocol(metadata), "kafka");
  const [hello] = encodeFrame({
    type: "hello",
    minProtocol: 1,
    maxProtocol: 1,
    features: [],
    sessionId: "",
    token: "",
    namespace: "default",
    topic: "orders",
    consumerGroup: "billing",
    mode: "pull",
    clientName: "",
  });
  assert.equal(looksLikeOtherProtocol(hello!), undefined);
  assert.equal(looksLikeOtherProtocol(Buffer.from("GET ")), undefined);
  assert.equal(looksLikeOtherProtocol(new Uint8Array(20)), undefined);
});

test("every error has a code that an error frame can carry", () => {
  for (const code of wireErrorCodes) {
    assert.ok(errorCodes.includes(errorCodeFor(new WireError(code, "why"))), code);
  }
  assert.equal(errorCodeFor(new WireError("malformed-frame", "why")), "protocol-error");
  assert.equal(errorCodeFor(new WireError("frame-too-large", "why")), "frame-too-large");
});
