// Signals to what runs in a pod, from outside: from inside, a container's first process ignores SIGSTOP and SIGKILL.
import { readdirSync, readFileSync } from "node:fs";
import { pauseCommand } from "./base-images.ts";
import type { ControlPlane } from "./control-plane.ts";

/** Pids, as this machine counts them, of the processes in the pod's control groups, but for the one that holds its network. */
function processesOf(podUid: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const isPause = command.slice(0, 2).join(" ") === pauseCommand.join(" ");
        return !isPause && readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(podUid);
      } catch {
        return false; // it has ended meanwhile
      }
    })
    .map(Number);
}

/** Throws when there is no such pod or nothing runs in it. */
export async function signalPod(
  cluster: ControlPlane,
  pod: { readonly name: string; readonly namespace: string },
  signal: NodeJS.Signals,
): Promise<void> {
  const uid = ["-o", "jsonpath={.metadata.uid}"];
  const found = await cluster.kubectl("get", "pod", pod.name, "-n", pod.namespace, ...uid);
  if (found.exitCode !== 0) throw new Error(found.stderr.trim());
  const pids = processesOf(found.stdout);
  if (pids.length === 0) throw new Error(`nothing runs in pod ${pod.namespace}/${pod.name}`);
  for (const pid of pids) process.kill(pid, signal);
}
