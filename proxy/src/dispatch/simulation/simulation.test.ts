import { test } from "node:test";
import { type Fault, faults, History, type Outcome } from "./history.ts";

function run(name: string, allowed: readonly Fault[], seeds: number, faultCount: number): void {
  test(`${name}: ${seeds} histories`, (t) => {
    const sum: Record<string, number> = {};
    for (let seed = 1; seed <= seeds; seed += 1) {
      let outcome: Outcome;
      try {
        outcome = new History(seed).run(allowed, faultCount);
      } catch (error) {
        throw new Error(`seed ${seed} of "${name}"`, { cause: error });
      }
      for (const [key, value] of Object.entries(outcome))
        sum[key] = (sum[key] ?? 0) + Number(value);
    }
    t.diagnostic(JSON.stringify(sum));
  });
}

run("peace", [], 40, 0);
run("partitions move", ["move", "join", "leave"], 100, 4);
run("proxies are killed", ["kill"], 80, 2);
run("connections are cut", ["cut"], 60, 6);
run("proxies freeze", ["freeze"], 40, 2);
run("everything at once", faults, 120, 6);
