/** The data plane: one process, one pod. */
export { bytesJson, letterJson } from "./admin/index.ts";
export * from "./config/index.ts";
export {
  type DeadLetter,
  findLetter,
  type FindLetterOptions,
  type LetterAnswer,
  type LetterAnswerKind,
  letterAnswerKinds,
  letterHeaders,
  type LetterPlace,
  refuseMsgId,
} from "./deadletter/index.ts";
export { Proxy, type ProxyDeps, type ProxyState, proxyStates, type Readiness } from "./proxy.ts";
export {
  type ProxyExitCode,
  type ProxyReport,
  runProxy,
  type RunProxyOptions,
} from "./run-proxy.ts";
export { fetchedChannel, type FetchedMessage } from "./source/index.ts";
export type { ProxyPartitionStatus, ProxyStatus, Reachability } from "./status.ts";
