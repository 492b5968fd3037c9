import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { project } from "./projection.ts";

const desired = {
  metadata: { labels: { app: "x" } },
  spec: {
    replicas: 2,
    template: {
      containers: [
        { name: "main", args: ["a", "b"], resources: { requests: { cpu: "0.5" } } },
        { name: "other", ports: [{ containerPort: 1 }] },
      ],
    },
  },
};
const live = {
  metadata: { labels: { app: "x", theirs: "y" }, uid: "1" },
  spec: {
    replicas: 2,
    revisionHistoryLimit: 10,
    template: {
      containers: [
        { name: "injected" },
        { name: "other", ports: [{ containerPort: 1, protocol: "TCP" }] },
        { name: "main", args: ["a", "b"], resources: { requests: { cpu: "500m" } }, tty: false },
      ],
    },
  },
  status: { replicas: 1 },
};
const at = JSON.stringify(project(live, desired));
const after = (change: (copy: typeof live) => void): string => {
  const copy = structuredClone(live);
  change(copy);
  return JSON.stringify(project(copy, desired));
};

test("defaults, others' fields and others' elements are not ours", () => {
  assert.equal(
    after((copy) => {
      copy.status.replicas = 2;
      copy.metadata.labels.theirs = "z";
      copy.spec.revisionHistoryLimit = 3;
      copy.spec.template.containers[2]!.tty = true;
      copy.spec.template.containers.shift();
    }),
    at,
  );
});

test("every field of ours that is changed, moved or removed shows", () => {
  const changes: ((copy: typeof live) => void)[] = [
    (copy) => (copy.spec.replicas = 3),
    (copy) => (copy.metadata.labels.app = "z"),
    (copy) => delete (copy.metadata as Partial<typeof live.metadata>).labels,
    (copy) => copy.spec.template.containers[2]!.args!.push("c"),
    (copy) => copy.spec.template.containers[2]!.args!.reverse(),
    (copy) => (copy.spec.template.containers[2]!.resources!.requests.cpu = "1"),
    (copy) => (copy.spec.template.containers[1]!.ports![0]!.containerPort = 2),
    (copy) => copy.spec.template.containers.pop(),
  ];
  for (const change of changes) assert.notEqual(after(change), at, String(change));
});

/** An object literal would set the prototype by `__proto__`. */
const named = (name: string) => JSON.parse(`{"labels":{"${name}":"x"}}`) as object;

test("a field's name may be one that every object has from its prototype", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    assert.deepEqual(project(named(name), named(name)), named(name), name);
    assert.deepEqual(
      JSON.stringify(project({ labels: {} }, named(name))),
      `{"labels":{"${name}":null}}`,
      name,
    );
  }
});

test("what is applied as it is projects to itself, whatever others add to its objects", () => {
  const value = fc.object({ maxDepth: 4, values: [fc.string(), fc.integer(), fc.boolean()] });
  fc.assert(
    fc.property(value, fc.string(), (wanted, extra) => {
      assert.deepEqual(project(structuredClone(wanted), wanted), wanted);
      const more = { ...wanted, [`other ${extra}`]: 1 };
      assert.deepEqual(project(more, wanted), wanted);
    }),
  );
});
