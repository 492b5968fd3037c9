import type { MemberState } from "@kafkaproxy/kafka";
import type { SourceState } from "./record-source.ts";

/** The source's state for each state of its membership; `joined`: it has been a member before. */
export const memberStates: Readonly<Record<MemberState, (joined: boolean) => SourceState>> = {
  idle: () => "idle",
  joining: (joined) => (joined ? "member" : "joining"),
  stable: () => "member",
  rebalancing: () => "member",
  unreachable: () => "away",
  refused: () => "refused",
  closed: () => "closed",
};
