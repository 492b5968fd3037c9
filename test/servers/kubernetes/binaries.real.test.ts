import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "../java.ts";
import { program, sources } from "./binaries.ts";

test("the versions are those of the Go modules", () => {
  for (const [name, { module, version, package: path }] of Object.entries(sources)) {
    const text = readFileSync(join(import.meta.dirname, "go", module, "go.mod"), "utf8");
    const required = [...text.matchAll(/^(?:require )?\s*(\S+) v(\S+)(?: \/\/ indirect)?$/gmu)];
    const target = path === "." ? `github.com/coredns/${name}` : path;
    const owner = required.find(([, root = ""]) => `${target}/`.startsWith(`${root}/`));
    assert.equal(owner?.[2], version, name);
  }
});

const asked = {
  etcd: ["--version"],
  "kube-apiserver": ["--version"],
  kubelet: ["--version"],
  kubectl: ["version", "--client"],
  coredns: ["-version"],
  helm: ["version"],
} as const;

for (const [name, args] of Object.entries(asked)) {
  test(`${name} is built and says its version`, async () => {
    const known = name as keyof typeof asked;
    const { stdout } = await runProgram(await program(known), args);
    assert.ok(stdout.toString().includes(sources[known].version), stdout.toString());
  });
}

test("KUBEBUILDER_ASSETS wins where it has the program", async () => {
  const assets = mkdtempSync(join(tmpdir(), "kafkaproxy-assets-"));
  const before = process.env["KUBEBUILDER_ASSETS"];
  process.env["KUBEBUILDER_ASSETS"] = assets;
  try {
    writeFileSync(join(assets, "etcd"), "");
    assert.equal(await program("etcd"), join(assets, "etcd"));
  } finally {
    if (before === undefined) delete process.env["KUBEBUILDER_ASSETS"];
    else process.env["KUBEBUILDER_ASSETS"] = before;
    rmSync(assets, { recursive: true });
  }
});
