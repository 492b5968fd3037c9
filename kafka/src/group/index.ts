export { GroupMember } from "./member.ts";
export type {
  GroupMemberHandlers,
  GroupMemberOptions,
  MemberIdentity,
  MemberState,
} from "./options.ts";
export type { OffsetToCommit, RefusedOffsets } from "./protocol.ts";
