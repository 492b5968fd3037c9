import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { tar, type TarEntry } from "./index.ts";

const entries: TarEntry[] = [
  { path: "b/run", content: Buffer.from("x".repeat(513)), mode: 0o755 },
  { path: "b/empty", content: Buffer.alloc(0) },
  { path: "a", linkTo: "b/run" },
  { path: "tmp", folderMode: 0o1777 },
];

test("tar reads what was written: kinds, modes, sizes, folders before what is in them", () => {
  const list = execFileSync("tar", ["-tv", "--utc", "--numeric-owner"], {
    input: Buffer.concat(tar(entries)),
    encoding: "utf8",
  });
  const lines = list
    .trim()
    .split("\n")
    .map((line) => line.replace(/\s+/gu, " "));
  assert.deepEqual(lines, [
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00 a -> b/run",
    "drwxr-xr-x 0/0 0 1970-01-01 00:00 b/",
    "-rw-r--r-- 0/0 0 1970-01-01 00:00 b/empty",
    "-rwxr-xr-x 0/0 513 1970-01-01 00:00 b/run",
    "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
  ]);
});

test("the order of the entries does not matter, and whole blocks are written", () => {
  const bytes = Buffer.concat(tar(entries));
  assert.deepEqual(Buffer.concat(tar(entries.toReversed())), bytes);
  assert.equal(bytes.byteLength % 512, 0);
});

test("a path that does not fit is refused", () => {
  assert.throws(
    () => tar([{ path: "x".repeat(101), content: Buffer.alloc(0) }]),
    /over 100 bytes/u,
  );
});
