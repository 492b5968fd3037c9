// The bench itself, on sizes that say nothing about speed: it runs, and what it prints is sane.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import type { Figure, Report } from "./report.ts";

const tiny = {
  records: 8000,
  warmup: 2000,
  rounds: 2,
  workers: 2,
  concurrency: 20,
  rate: 200,
  "latency-seconds": 1,
  "latency-rounds": 1,
  leases: 1000,
  modes: "pull,push",
};

async function bench(): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const flags = Object.entries(tiny).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const args = process.execArgv.filter((arg) => !arg.startsWith("--test"));
  const child = spawn(
    process.execPath,
    [...args, join(import.meta.dirname, "../bench.ts"), "--json", ...flags],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [unknown];
  return { code, stdout, stderr };
}

test("every subject gives every figure, in order of median between min and max", async () => {
  const { code, stdout, stderr } = await bench();
  assert.equal(code, 0, stderr);
  const { options, figures } = JSON.parse(stdout) as Report;
  assert.equal(options.records, tiny.records);
  for (const { subject, name, spread } of figures) {
    assert.ok(spread.min <= spread.median && spread.median <= spread.max, `${subject} ${name}`);
  }
  const find = (part: Figure["part"], subject: string, name: string): Figure => {
    const found = figures.find((f) => f.part === part && f.subject === subject && f.name === name);
    assert.ok(found, `${part} ${subject} ${name} is missing: ${stdout}`);
    return found;
  };
  for (const subject of ["kafkajs", "proxy-pull", "proxy-push"]) {
    assert.ok(find("throughput", subject, "throughput").spread.min > 0);
    assert.ok(find("latency", subject, "produce to handler, p50").spread.min > 0);
  }
  if (process.platform === "linux") {
    assert.ok(find("leases", "proxy-push", "proxy CPU, idle").spread.max < 100);
    assert.ok(find("leases", "proxy-push", "proxy CPU, 1000 leases out").spread.max > 0);
  }
  for (const subject of ["proxy-pull", "proxy-push"]) {
    assert.ok(find("throughput", subject, "of kafkajs").spread.min > 0);
    assert.equal(find("throughput", subject, "delivered again").spread.max, 0);
    for (const way of ["produce to arrival", "arrival to handler"]) {
      const [p50, p99] = ["p50", "p99"].map((p) => find("latency", subject, `${way}, ${p}`).spread);
      assert.ok(p50 && p99);
      // Each record's own way, on one clock: none takes less than no time.
      assert.ok(p50.min > 0 && p99.median >= p50.median, `${subject} ${way}: ${stdout}`);
    }
    if (process.platform !== "linux") continue;
    assert.ok(find("throughput", subject, "proxy RSS, peak").spread.min > 10);
  }
});
