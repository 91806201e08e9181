/** Which refs and entries a settling can decide now, and which are held up. Part of ledger.ts, which tells the rules. */
import type { ByteString } from "./bytes.ts";
import type { Draft, Ref, Update } from "./ledger-drafts.ts";

/** Sets `decided` on the refs and `settled` on the pushes. Refs hang together where one push has an update on each that
 *  is more than a later one. Such a group is held up by a gap that no work entry explains, by a stray update, and by a
 *  push with a later update elsewhere; unless one of its refs is old. A push of nothing but later updates belongs to no
 *  group: it waits until one of its refs is old and has not been moved now either. */
export function decide(
  refs: readonly Ref[],
  pushes: readonly Draft[],
  nudged: boolean,
  isOld: (ref: ByteString) => boolean,
): void {
  const isLater = (update: Update) => update.ref.chain.later.has(update);
  const held = new Set<Ref>();
  const anchors = new Map<Draft, Ref>();
  for (const push of pushes) {
    const bound = push.updates.filter((update) => !isLater(update));
    const anchor = bound[0]?.ref;
    if (anchor === undefined) continue;
    anchors.set(push, anchor);
    for (const { ref } of bound) groupOf(ref).group = groupOf(anchor);
    if (bound.length < push.updates.length) held.add(anchor);
  }
  for (const ref of refs) {
    if ((ref.chain.gap !== null && !nudged) || ref.chain.stray.length > 0) held.add(ref);
  }
  const heldGroups = new Set([...held].map(groupOf));
  const isHeld = (ref: Ref) => heldGroups.has(groupOf(ref));
  const oldGroups = new Set(refs.filter((ref) => isHeld(ref) && isOld(ref.name)).map(groupOf));
  for (const ref of refs) ref.decided = !isHeld(ref) || oldGroups.has(groupOf(ref));

  const isStuck = (ref: Ref) => ref.known === ref.real && ref.chain.before.length === 0 && isOld(ref.name);
  for (const push of pushes) {
    const anchor = anchors.get(push);
    if (anchor !== undefined) push.settled = anchor.decided;
    else push.settled = push.updates.length === 0 || push.updates.some((update) => isStuck(update.ref));
  }
}

/** The ref that stands for the group of this one. */
function groupOf(ref: Ref): Ref {
  let here = ref;
  while (here.group !== here) {
    here.group = here.group.group; // halves the way for the next look
    here = here.group;
  }
  return here;
}
