import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { KubeObject } from "./kube-object.ts";
import { ObjectStore } from "./object-store.ts";

function object(name: string, version: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Thing",
    metadata: { namespace: "ns", name, resourceVersion: String(version) },
  };
}

test("a list says what came, what changed and what went", () => {
  const store = new ObjectStore();
  assert.equal(store.replace([object("a", 1), object("b", 2)], "2").length, 2);
  const changes = store.replace([object("b", 3), object("c", 4)], "5");
  assert.deepEqual(
    changes.map(({ key, before, after }) => [
      key,
      before?.metadata.resourceVersion,
      after?.metadata.resourceVersion,
    ]),
    [
      ["ns/b", "2", "3"],
      ["ns/c", undefined, "4"],
      ["ns/a", "1", undefined],
    ],
  );
  assert.deepEqual(store.replace([object("b", 3), object("c", 4)], "6"), []);
});

test("our own write is known before the watch tells of it, and is told once", () => {
  const store = new ObjectStore();
  store.replace([object("a", 1)], "1");
  assert.ok(store.offer(object("a", 5)));
  assert.equal(store.observe("put", object("a", 3)), undefined);
  assert.equal(store.observe("put", object("a", 5)), undefined);
  assert.equal(store.get("ns/a")?.metadata.resourceVersion, "5");
  assert.ok(store.observe("put", object("a", 6)));
});

test("an answer that comes after the object's end does not bring it back", () => {
  const store = new ObjectStore();
  store.replace([], "1");
  store.observe("put", object("a", 4));
  store.observe("delete", object("a", 7));
  assert.equal(store.offer(object("a", 5)), undefined);
  assert.equal(store.get("ns/a"), undefined);
  assert.ok(store.offer(object("a", 8)), "made anew since");
});

test("a list from a server that was restored from a backup counts again from there", () => {
  const store = new ObjectStore();
  store.replace([object("a", 900)], "1000");
  store.replace([object("a", 20)], "30");
  assert.ok(store.observe("put", object("a", 31)));
  assert.equal(store.get("ns/a")?.metadata.resourceVersion, "31");
});

test("whatever is offered in between, the watch alone decides how it ends", () => {
  const step = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    type: fc.constantFrom("put" as const, "put" as const, "delete" as const),
    offeredEarly: fc.boolean(),
    offeredLate: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = new ObjectStore();
      const truth = new Map<string, number>();
      const late: { at: number; object: KubeObject }[] = [];
      store.replace([], "0");
      for (const [index, { name, type, offeredEarly, offeredLate }] of steps.entries()) {
        const version = index + 1;
        const current = object(name, version);
        if (type === "put") {
          if (offeredEarly) store.offer(current);
          late.push({ at: index + offeredLate, object: current });
          truth.set(`ns/${name}`, version);
        } else truth.delete(`ns/${name}`);
        store.observe(type, current);
        for (const one of late) if (one.at === index) store.offer(one.object);
      }
      assert.deepEqual(
        new Map(
          [...store.values()].map(({ metadata }) => [
            `ns/${metadata.name}`,
            Number(metadata.resourceVersion),
          ]),
        ),
        truth,
      );
    }),
  );
});
