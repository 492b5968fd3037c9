/**
 * A doubly linked list that lives in its members: a member knows its list, so leaving costs O(1) and allocates nothing.
 * A member is in at most one list at a time; joining another one leaves the first.
 */
export abstract class Linked<T extends Linked<T>> {
  list: LinkedList<T> | undefined = undefined;
  before: T | undefined = undefined;
  after: T | undefined = undefined;
}

export class LinkedList<T extends Linked<T>> {
  first: T | undefined = undefined;
  #last: T | undefined = undefined;
  size = 0;

  append(member: T): void {
    member.list?.remove(member);
    member.list = this;
    member.before = this.#last;
    if (this.#last === undefined) this.first = member;
    else this.#last.after = member;
    this.#last = member;
    this.size += 1;
  }

  /** Takes `member` out; one that is not in this list stays where it is. */
  remove(member: T): void {
    if (member.list !== this) return;
    if (member.before === undefined) this.first = member.after;
    else member.before.after = member.after;
    if (member.after === undefined) this.#last = member.before;
    else member.after.before = member.before;
    member.list = undefined;
    member.before = undefined;
    member.after = undefined;
    this.size -= 1;
  }

  shift(): T | undefined {
    const member = this.first;
    if (member !== undefined) this.remove(member);
    return member;
  }
}
