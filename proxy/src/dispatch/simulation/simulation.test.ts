import { test } from "node:test";
import { type Fault, faults, History, type HistoryOptions, type Outcome } from "./history.ts";

function run(
  name: string,
  allowed: readonly Fault[],
  seeds: number,
  faultCount: number,
  options: Partial<HistoryOptions> = {},
): void {
  test(`${name}: ${seeds} histories`, (t) => {
    const sum: Record<string, number> = {};
    for (let seed = 1; seed <= seeds; seed += 1) {
      let outcome: Outcome;
      try {
        outcome = new History(seed, options).run(allowed, faultCount);
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
run("new owners are killed as they take over", ["orphan"], 80, 6);
// Sooner or later there is so little room in a commit that nearly every hand-over leaves an overflow.
run("hand-overs with an overflow", ["move", "orphan"], 120, 6, { maxMetadataChars: 40 });
test("a commit in flight at a hand-over leaves the overflow of that hand-over alone", () => {
  new History(186, { maxMetadataChars: 40 }).run(["move", "orphan"], 6);
});

run("connections are cut", ["cut"], 60, 6);
run("proxies freeze", ["freeze"], 40, 2);
run("everything at once", faults, 120, 6);
