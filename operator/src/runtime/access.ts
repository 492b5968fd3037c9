import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { KubeError } from "./kube-error.ts";

/** Where the API server is, and how it knows us. */
export interface ClusterAccess {
  readonly server: URL;
  /** PEM, or its bytes. */
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
  /** The namespace that the credentials stand for. */
  readonly namespace: string;
  /** For each request: a token is read again as it is renewed. */
  headers(): Promise<Readonly<Record<string, string>>>;
}

export interface AccessOptions {
  /** A kubeconfig file. Default: KUBECONFIG, which may name several as for kubectl; then the pod's service account; then ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  /** Of the kubeconfig. Default: its current one. */
  readonly context?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Default: where the kubelet mounts it. */
  readonly serviceAccountFolder?: string | undefined;
}

const mountedServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The kubelet renews a token that lives an hour long before its end. */
const tokenReadAgainMs = 60_000;

/** @throws KubeError `bad-access` that says what is missing. */
export async function findAccess(options: AccessOptions): Promise<ClusterAccess> {
  const { environment } = options;
  const files =
    options.kubeconfig === undefined
      ? (environment["KUBECONFIG"] ?? "").split(delimiter).filter((file) => file !== "")
      : [options.kubeconfig];
  if (files.length === 0 && environment["KUBERNETES_SERVICE_HOST"] !== undefined) {
    return await inCluster(environment, options.serviceAccountFolder ?? mountedServiceAccount);
  }
  return await fromKubeconfig(files, options.context);
}

/**
 * As a pod. Read here and not by @kubernetes/client-node, which costs 88 MB of memory once loaded:
 * more than all the rest of an operator.
 */
async function inCluster(
  environment: AccessOptions["environment"],
  folder: string,
): Promise<ClusterAccess> {
  const host = environment["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = environment["KUBERNETES_SERVICE_PORT"] ?? "443";
  const read = async (name: string): Promise<string> => {
    try {
      return (await readFile(join(folder, name), "utf8")).trim();
    } catch (cause) {
      const message = `the service account's ${join(folder, name)} can't be read: does the pod mount its token?`;
      throw new KubeError("bad-access", message, { cause });
    }
  };
  let token = await read("token");
  let readAt = performance.now();
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    tls: { ca: await read("ca.crt") },
    namespace: await read("namespace"),
    headers: async () => {
      if (performance.now() - readAt > tokenReadAgainMs) {
        token = await read("token");
        readAt = performance.now();
      }
      return { authorization: `Bearer ${token}` };
    },
  };
}

/** On a developer's machine: every way of signing in that a kubeconfig can name. */
async function fromKubeconfig(
  files: readonly string[],
  context: string | undefined,
): Promise<ClusterAccess> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    if (files.length === 0) config.loadFromDefault();
    // As for kubectl: of several one may be missing, and the first context that is set counts.
    const there = files.length > 1 ? files.filter((file) => existsSync(file)) : files;
    const [first = files[0], ...others] = there;
    if (first !== undefined) config.loadFromFile(first);
    for (const file of others) {
      const other = new KubeConfig();
      other.loadFromFile(file);
      // Of what two files name alike the first counts.
      other.clusters = other.clusters.filter(({ name }) => config.getCluster(name) === null);
      other.users = other.users.filter(({ name }) => config.getUser(name) === null);
      other.contexts = other.contexts.filter(({ name }) => config.getContextObject(name) === null);
      config.mergeConfig(other, config.getCurrentContext() !== "");
    }
    if (context !== undefined) config.setCurrentContext(context);
    const cluster = config.getCurrentCluster();
    if (cluster === null) {
      throw new KubeError(
        "bad-access",
        `the kubeconfig has no context ${config.getCurrentContext()}`,
      );
    }
    const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {};
    await config.applyToHTTPSOptions(options);
    const user = config.getCurrentUser();
    const signedIn = user?.authProvider !== undefined || user?.exec !== undefined;
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    return {
      server: new URL(cluster.server),
      tls: dropUndefined({ ca, cert, key, servername, rejectUnauthorized }),
      namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? "default",
      headers: async () => {
        // Programs and token files give credentials that end; the library knows when to ask again.
        if (signedIn) await config.applyToHTTPSOptions(options);
        return headersOf(options);
      },
    };
  } catch (cause) {
    if (cause instanceof KubeError) throw cause;
    const which = files.length === 0 ? "~/.kube/config" : files.join(delimiter);
    const message = `the kubeconfig ${which} can't be used: ${String(cause)}`;
    throw new KubeError("bad-access", message, { cause });
  }
}

function headersOf(options: { headers?: unknown; auth?: string | null }): Record<string, string> {
  const { headers, auth } = options;
  const found: Record<string, string> = {};
  if (typeof headers === "object" && headers !== null) {
    for (const [name, value] of Object.entries(headers)) {
      if (typeof value === "string") found[name.toLowerCase()] = value;
    }
  }
  if (typeof auth === "string") {
    found["authorization"] = `Basic ${Buffer.from(auth).toString("base64")}`;
  }
  return found;
}

function dropUndefined(tls: Readonly<Record<string, unknown>>): ClusterAccess["tls"] {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}
