export { GroupMember } from "./member.ts";
export type {
  GroupMemberHandlers,
  GroupMemberOptions,
  MemberIdentity,
  MemberState,
} from "./options.ts";
export type { OffsetToCommit } from "./protocol.ts";
