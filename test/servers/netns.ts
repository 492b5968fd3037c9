// Programs inside another network namespace: what pods talk to has to be where pods can reach it.

/** A path such as `/proc/1234/ns/net`. */
export type NetworkNamespace = string;

/** The command and its arguments that run a program in `netns`, or as they are where there is none. */
export function within(
  netns: NetworkNamespace | undefined,
  command: string,
  args: readonly string[],
): { command: string; args: readonly string[] } {
  // nsenter becomes the program: its pid and the signals to it are the program's own. (`ip netns exec` would also
  // mount another /sys, where the kubelet finds no control groups.)
  return netns === undefined
    ? { command, args }
    : { command: "nsenter", args: [`--net=${netns}`, "--", command, ...args] };
}
