import type { NetworkNamespace } from "../netns.ts";

/** Where a cluster's processes run: on the machine's loopback, or in a network namespace with a bridge for pods. */
export interface Place {
  /** What the API server is called by inside: by pods, or by everything where there are none. */
  readonly address: string;
  /** `undefined`: the machine's own. */
  readonly netns: NetworkNamespace | undefined;
  /** A port on this machine's 127.0.0.1 that leads to `port` of `address`. */
  readonly forward: (port: number) => Promise<number>;
}

export const loopback: Place = {
  address: "127.0.0.1",
  netns: undefined,
  forward: (port) => Promise.resolve(port),
};
