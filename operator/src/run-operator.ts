import { hostname } from "node:os";
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { Operator, type OperatorOptions } from "./operator.ts";
import type { ParentLogger } from "./reconcile/index.ts";
import { findAccess } from "./runtime/index.ts";

export interface RunOperatorOptions {
  /** The proxies' image. */
  readonly image: string;
  readonly imagePullPolicy?: OperatorOptions["imagePullPolicy"];
  /** The namespace that is watched. Default: all. */
  readonly namespace?: string | undefined;
  /** Contend for a Lease: needed where several operators run. Default false. */
  readonly leaderElect?: boolean;
  /** Name of the Lease. Default kafka-proxy-operator. */
  readonly lease?: string | undefined;
  /** Where probes and metrics are answered. Default 127.0.0.1:8081. */
  readonly admin?: { readonly host: string; readonly port: number } | undefined;
  /** A kubeconfig file. Default: KUBECONFIG; then the pod's service account; then ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Where the pod's token, ca.crt and namespace are. Default: where the kubelet mounts them. */
  readonly serviceAccountFolder?: string | undefined;
  /** Default info. */
  readonly logLevel?: string | undefined;
  /** For POD_NAME, POD_NAMESPACE and where the API server is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Default: pino's JSON lines on standard output. */
  readonly logger?: ParentLogger;
}

/** 0: told to stop, and stopped. 1: it failed, or was told to end at once. */
export type OperatorExitCode = 0 | 1;

const defaultAdmin = { host: "127.0.0.1", port: 8_081 };

/**
 * Runs an operator in this process until it is told to stop: the first SIGTERM or SIGINT ends it in
 * order, with the lease given back; the second at once. The caller ends the process.
 *
 * @throws KubeError `bad-access` before anything is started; the system's error when the admin port can't be had.
 */
export async function runOperator(options: RunOperatorOptions): Promise<OperatorExitCode> {
  const { environment, image, imagePullPolicy, namespace, lease, kubeconfig, context } = options;
  const { serviceAccountFolder } = options;
  const logger = options.logger ?? pino({ level: options.logLevel ?? "info" });
  const access = await findAccess({ kubeconfig, context, environment, serviceAccountFolder });
  const podName = environment["POD_NAME"] ?? hostname();
  const operator = new Operator({
    access,
    podName,
    image,
    imagePullPolicy,
    namespace,
    admin: options.admin ?? defaultAdmin,
    election:
      options.leaderElect === true
        ? {
            namespace: environment["POD_NAMESPACE"] ?? access.namespace,
            lease: lease ?? "kafka-proxy-operator",
            identity: `${podName}_${randomUUID()}`,
          }
        : undefined,
    logger,
  });
  const ask = Promise.withResolvers<void>();
  const insist = Promise.withResolvers<"now">();
  let asked = 0;
  const signalled = (signal: NodeJS.Signals): void => {
    asked += 1;
    logger.info({ signal }, asked === 1 ? "told to stop" : "told again: ending at once");
    if (asked === 1) ask.resolve();
    else insist.resolve("now");
  };
  process.on("SIGTERM", signalled);
  process.on("SIGINT", signalled);
  try {
    const address = await operator.start();
    logger.info({ server: access.server.href, namespace, admin: address }, "the operator runs");
    await Promise.race([ask.promise, operator.ended()]);
    const failed = operator.state === "failed";
    const how = await Promise.race([operator.close(), insist.promise]);
    return failed || how === "now" ? 1 : 0;
  } finally {
    process.off("SIGTERM", signalled);
    process.off("SIGINT", signalled);
  }
}
