/** What the suites that cross packages share: proxies as processes, workers that are watched, servers. */
export { until } from "./poll.ts";
export { cliEntry, type ProxyProcess, type ProxyStatus, startProxy } from "./proxy-process.ts";
export { Recorder, type SeenDelivery } from "./recorder.ts";
export { connectedTo, createWorld, type Scene, type World } from "./world.ts";
