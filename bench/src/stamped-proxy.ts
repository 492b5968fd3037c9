/** A proxy as `kafkaproxy serve` runs it, which stamps each record as it arrives in its source. */
import { subscribe } from "node:diagnostics_channel";
import { fetchedChannel, type FetchedMessage, parseSettings, runProxy } from "@kafkaproxy/proxy";
import type { ProxyJob } from "./child.ts";
import { readJob, say, untilStopped } from "./job.ts";
import { createMeter } from "./meter.ts";

const { settings } = readJob() as ProxyJob;
const meter = createMeter("latency");
subscribe(fetchedChannel, (message) => {
  const { partition, records } = message as FetchedMessage;
  for (const { offset, value } of records) meter.take(value, { partition, offset });
});

async function serve(): Promise<void> {
  const code = await runProxy(parseSettings(settings, {}), {
    report: ({ state }) => {
      if (state === "serving") say("ready");
    },
  });
  if (code !== 0) process.exit(code);
}

const served = serve();
// SIGTERM is the proxy's too: it drains.
untilStopped(() => served, meter);
