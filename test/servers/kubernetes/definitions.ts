import { setTimeout as sleep } from "node:timers/promises";
import type { ControlPlane } from "./control-plane.ts";

const withinMs = 60_000;

/** Resolves when resources of a definition (`plural.group`) can be made: an established one is served a moment later. */
export async function untilServed(
  cluster: Pick<ControlPlane, "kubectl">,
  definition: string,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const { exitCode, stderr } = await cluster.kubectl("get", definition, "--all-namespaces");
    if (exitCode === 0) return;
    if (performance.now() > deadline) {
      throw new Error(`${definition} was not served in ${withinMs / 1_000} s: ${stderr.trim()}`);
    }
    await sleep(200);
  }
}
