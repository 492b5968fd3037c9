import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, relative } from "node:path";
import { test } from "node:test";

/** What each package may import of the others: the arrows of docs/architecture.md. */
const mayImport: Record<string, readonly string[]> = {
  wire: [],
  zookeeper: [],
  kafka: [],
  client: ["wire", "zookeeper"],
  proxy: ["wire", "zookeeper", "kafka"],
  operator: ["wire", "zookeeper", "kafka", "proxy"],
  cli: ["wire", "zookeeper", "kafka", "client", "proxy", "operator"],
};

/** Unmaintained libraries, each behind one package; the bench measures against kafkajs itself. */
const behind: Record<string, readonly string[]> = {
  kafkajs: ["kafka", "bench"],
  "node-zookeeper-client": ["zookeeper"],
};

const root = join(import.meta.dirname, "../..");

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/(?:^|\/)(?:node_modules|dist)\//u.test(name))
    .map((name) => join(root, folder, name));
}

function imports(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s*)?["']([^"']+)["']|\b(?:import|require)\(\s*["'`]([^"'`]+)["'`]\s*\)/g;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? "");
}

/** Tests and what only they use: not compiled, see the packages' tsconfig.json. */
function isForTests(file: string): boolean {
  return /\.test\.ts$|\/test-[^/]+\.ts$|\/(?:testing|simulation)\//u.test(file);
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function manifest(folder: string): { name: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
}

const folderOf = new Map(
  Object.keys(mayImport).map((folder) => [manifest(folder).name, folder] as const),
);

for (const [folder, allowed] of Object.entries(mayImport)) {
  test(`${folder} imports only what lies below it`, () => {
    const files = sources(`${folder}/src`);
    assert.ok(files.length > 0, `${folder}/src has no sources`);
    for (const file of files) {
      for (const specifier of imports(file)) {
        const where = `${relative(root, file)} imports ${specifier}`;
        const target = folderOf.get(packageOf(specifier));
        if (target !== undefined && target !== folder) assert.ok(allowed.includes(target), where);
        if (specifier.startsWith(".")) {
          const inside = relative(join(root, folder), join(file, "..", specifier));
          assert.ok(isForTests(file) || !inside.startsWith(".."), `${where}: outside its package`);
        }
      }
    }
  });

  test(`${folder} declares what it imports, and nothing else`, () => {
    const declared = new Set(Object.keys(manifest(folder).dependencies ?? {}));
    const used = new Set<string>();
    for (const file of sources(`${folder}/src`)) {
      if (isForTests(file)) continue;
      for (const specifier of imports(file)) {
        if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
        if (builtinModules.includes(specifier)) assert.fail(`${file}: write node:${specifier}`);
        used.add(packageOf(specifier));
      }
    }
    used.delete(manifest(folder).name);
    assert.deepEqual([...used].sort(), [...declared].sort());
  });
}

test("what is unmaintained is imported by one package", () => {
  const { workspaces } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    workspaces: string[];
  };
  for (const folder of workspaces) {
    for (const file of sources(folder)) {
      for (const specifier of imports(file)) {
        const owners = behind[packageOf(specifier)];
        const where = `${relative(root, file)} imports ${specifier}`;
        assert.ok(owners === undefined || owners.includes(folder), where);
      }
    }
  }
});

test("a room is entered by its door: nobody imports behind another room's index.ts", () => {
  for (const folder of Object.keys(mayImport)) {
    const src = join(root, folder, "src");
    const rooms = readdirSync(src, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    for (const file of sources(`${folder}/src`)) {
      if (isForTests(file)) continue;
      const here = relative(src, file).split("/")[0];
      for (const specifier of imports(file)) {
        if (!specifier.startsWith(".")) continue;
        const [room, ...rest] = relative(src, join(file, "..", specifier)).split("/");
        if (room === undefined || room === here || !rooms.includes(room)) continue;
        assert.deepEqual(rest, ["index.ts"], `${relative(root, file)} imports ${specifier}`);
      }
    }
  }
});
