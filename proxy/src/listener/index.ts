/** The TCP server: a session a connection turns frames into calls on dispatch. */
export type { Identity } from "./hello-check.ts";
export {
  createListener,
  type Listener,
  type ListenerCounters,
  type ListenerOptions,
} from "./listener.ts";
