import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { until } from "../harness/index.ts";
import { cacheDir, withLock } from "./lock.ts";

/** Elsewhere a pid is all that is known of a process. */
const proc = { skip: existsSync("/proc/self/stat") ? false : "needs /proc" };

const newName = (): string => `test-${randomUUID()}`;
const fileOf = (name: string): string => join(cacheDir, `${name}.lock`);
const isThere = (name: string): boolean =>
  lstatSync(fileOf(name), { throwIfNoEntry: false }) !== undefined;

function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat[stat.lastIndexOf(")") + 2];
}

/** Its pid; it holds the lock until somebody ends it, and stays a zombie after that, as its parent never asks for it. */
async function startHolder(context: TestContext, name: string): Promise<number> {
  const module = JSON.stringify(join(import.meta.dirname, "lock.ts"));
  const program = `
    import { withLock } from ${module};
    await withLock("${name}", async () => {
      console.log(process.pid);
      setInterval(() => undefined, 1_000);
      await new Promise(() => undefined);
    });`;
  const script = '"$0" --input-type=module -e "$1" & exec sleep infinity';
  const parent = spawn("/bin/sh", ["-c", script, process.execPath, program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => parent.kill("SIGKILL"));
  const [line] = await once(createInterface({ input: parent.stdout }), "line");
  return Number(line);
}

/** A lock whose holder died. */
async function abandoned(context: TestContext): Promise<string> {
  const name = newName();
  process.kill(await startHolder(context, name), "SIGKILL");
  context.after(() => rmSync(fileOf(name), { force: true }));
  return name;
}

/** Whoever began before to do the same, or took a living holder for a dead one, has done it by now. */
async function passesADeadHolder(context: TestContext): Promise<void> {
  await withLock(await abandoned(context), async () => undefined);
}

test("one at a time; what was begun second waits for the first, whether it fails or not", async () => {
  const name = newName();
  const told: string[] = [];
  const first = withLock(name, async () => {
    told.push("first");
    await new Promise((resolve) => setImmediate(resolve));
    told.push("first ends");
    throw new Error("it failed");
  });
  const second = withLock(name, async () => void told.push("second"));
  await assert.rejects(first, /it failed/u);
  await second;
  assert.deepEqual(told, ["first", "first ends", "second"]);
  assert.ok(!isThere(name));
});

test(
  "another process that lives is waited for; one that was killed is not, though a zombie is left of it",
  proc,
  async (context) => {
    const name = newName();
    const holder = await startHolder(context, name);
    let taken = false;
    const taking = withLock(name, async () => void (taken = true));
    // Begun later, and through all that who takes a living holder for a dead one would do.
    await withLock(await abandoned(context), async () => undefined);
    assert.equal(taken, false);
    process.kill(holder, "SIGKILL");
    await until("a zombie", () => stateOf(holder) === "Z");
    await taking;
    assert.ok(taken);
  },
);

test("who has a dead holder's pid by now does not hold its lock", proc, async (context) => {
  const name = await abandoned(context);
  const ofTheDead = readlinkSync(fileOf(name));
  unlinkSync(fileOf(name));
  symlinkSync(ofTheDead.replace(/^\d+/u, String(process.pid)), fileOf(name));
  await withLock(name, async () => undefined);
  assert.ok(!isThere(name));
});

test(
  "who saw that the holder is dead does not remove the lock of who took it in between",
  proc,
  async (context) => {
    const name = await abandoned(context);
    const ofTheDead = readlinkSync(fileOf(name));
    const removing = `${name}-after-${ofTheDead}`;
    let taken = false;
    let ofTheLiving = "";
    let taking: Promise<void> | undefined;
    await withLock(removing, async () => {
      taking = withLock(name, async () => void (taken = true));
      await passesADeadHolder(context);
      assert.equal(readlinkSync(fileOf(name)), ofTheDead);
      ofTheLiving = readlinkSync(fileOf(removing));
      unlinkSync(fileOf(name));
      symlinkSync(ofTheLiving, fileOf(name));
    });
    await passesADeadHolder(context);
    assert.equal(readlinkSync(fileOf(name)), ofTheLiving);
    assert.equal(taken, false);
    unlinkSync(fileOf(name));
    await taking;
    assert.deepEqual(
      readdirSync(cacheDir).filter((file) => file.startsWith(name)),
      [],
    );
  },
);

test("of many that see that the holder is dead, one at a time has its lock", async (context) => {
  const name = await abandoned(context);
  let holders = 0;
  const hold = () =>
    withLock(name, async () => {
      holders += 1;
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(holders, 1);
      holders -= 1;
    });
  await Promise.all(Array.from({ length: 5 }, hold));
  assert.ok(!isThere(name));
});
