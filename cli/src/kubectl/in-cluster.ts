import { CliError, exitCodes } from "../cli-error.ts";
import { choosePod, chooseResource, type ListedPod, type ListedResource } from "./choose.ts";
import { type ClusterOptions, Kubectl } from "./kubectl.ts";

/** Which KafkaProxy of which cluster. */
export interface InClusterOptions extends ClusterOptions {
  /** Default: the namespace of kubectl's context. */
  readonly namespace?: string | undefined;
  readonly allNamespaces?: boolean | undefined;
  readonly name?: string | undefined;
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
}

/** What kubectl adds when what it ran did not end with 0; the exit code says it already. */
const kubectlsOwn = /^command terminated with exit code \d+\n?/mu;

/**
 * Runs `kafkaproxy ARGS --config FILE` beside a proxy of the resource, where Kafka and ZooKeeper are
 * reached by the names, certificates and secrets that the proxy itself has. Needs the rights to list
 * KafkaProxies and pods, and to exec into a pod.
 *
 * @returns what it printed and its exit code.
 * @throws CliError when the resource or a pod of it can't be found, or kubectl can't be used.
 */
export async function runInCluster(
  options: InClusterOptions,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
  const kubectl = new Kubectl(options, environment);
  const { namespace, allNamespaces = false } = options;
  const where = allNamespaces
    ? ["--all-namespaces"]
    : namespace === undefined
      ? []
      : [`--namespace=${namespace}`];
  const resource = chooseResource(
    await kubectl.list<ListedResource>("kafkaproxies.kafkaproxy.dev", ...where),
    options,
  );
  const inNamespace = `--namespace=${resource.metadata.namespace}`;
  const selector = resource.status?.selector;
  const pods =
    selector === undefined
      ? []
      : await kubectl.list<ListedPod>("pods", inNamespace, `--selector=${selector}`);
  const { pod, container, configFile } = choosePod(resource, pods);
  const { exitCode, stdout, stderr } = await kubectl.run([
    "exec",
    inNamespace,
    pod,
    `--container=${container}`,
    "--",
    "kafkaproxy",
    ...args,
    `--config=${configFile}`,
  ]);
  const said = stderr.replace(kubectlsOwn, "");
  // kubectl's own failures have exit code 1, and nothing that the command would print.
  if (exitCode !== 0 && said === stderr) {
    throw new CliError(exitCodes.unavailable, `kubectl: ${stderr.trim()}`);
  }
  return { exitCode, stdout, stderr: said };
}
