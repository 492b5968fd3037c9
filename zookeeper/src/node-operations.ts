// Operations of more than one step, on a connection that is up.
import type { Connection } from "./connection.ts";
import { childOf, parentOf } from "./paths.ts";
import { codeOf } from "./zookeeper-error.ts";

const nothing = Buffer.alloc(0);

/** Rejects with `exists` when it is there. Parents are made only when they turn out to be missing. */
export async function createWithParents(
  connection: Connection,
  path: string,
  data: Buffer,
  kind: "persistent" | "ephemeral",
): Promise<void> {
  try {
    return await connection.create(path, data, kind);
  } catch (error) {
    const parent = parentOf(path);
    if (codeOf(error) !== "no-node" || parent === undefined) throw error;
    await createWithParents(connection, parent, nothing, "persistent").catch(unless("exists"));
  }
  return connection.create(path, data, kind);
}

/** Creates it, or sets its data. */
export async function put(connection: Connection, path: string, data: Buffer): Promise<void> {
  // Twice round at most, unless others make and remove it all the time.
  for (;;) {
    try {
      return await connection.set(path, data);
    } catch (error) {
      if (codeOf(error) !== "no-node") throw error;
    }
    try {
      return await createWithParents(connection, path, data, "persistent");
    } catch (error) {
      if (codeOf(error) !== "exists") throw error;
    }
  }
}

/** Removes it and everything below; false when it was not there. */
export async function removeTree(connection: Connection, path: string): Promise<boolean> {
  for (;;) {
    try {
      await connection.remove(path);
      return true;
    } catch (error) {
      if (codeOf(error) === "no-node") return false;
      if (codeOf(error) !== "not-empty") throw error;
    }
    const names = await connection.children(path).catch(unless("no-node"));
    await Promise.all((names ?? []).map((name) => removeTree(connection, childOf(path, name))));
  }
}

/** For `catch`: swallows the error of this code, which is what was wanted anyway. */
export function unless(code: "exists" | "no-node"): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error;
  };
}
