import { ZooKeeperError } from "./zookeeper-error.ts";

/** Throws `bad-arguments` when `path` can't be a node's. */
export function checkPath(path: string): void {
  const bad =
    !path.startsWith("/") ||
    (path !== "/" && path.endsWith("/")) ||
    path.includes("//") ||
    /\/\.\.?(?:\/|$)/.test(path) ||
    // What ZooKeeper's own PathUtils refuses.
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path);
  if (bad) {
    throw new ZooKeeperError(
      "bad-arguments",
      `path: found ${JSON.stringify(path)}, allowed is /name/name without empty, "." or ".." names and control characters`,
    );
  }
}

/** `/` for a node at the top, undefined for the root itself. */
export function parentOf(path: string): string | undefined {
  if (path === "/") return undefined;
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

export function childOf(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${path}/${name}`;
}
