/** What a run was about, in the few words of a list. */
import { type ByteString, displayText, fromText } from "../core/bytes.ts";
import type { Gate, GateUpdate } from "../store/gate.ts";
import { type Receipt, rcvidOf } from "../store/receipt.ts";
import type { RefUpdate } from "../store/ref.ts";

/** A receipt with what it did to refs. */
export type Arrival = Receipt & { updates: RefUpdate[] };
/** A gate with what the push it judged was to do to refs. */
export type JudgedGate = Gate & { updates: GateUpdate[] };

const short = (value: string): string => (/^0+$/.test(value) ? "new" : value.slice(0, 7));
const shortRef = (ref: ByteString): string => displayText(ref.replace(/^refs\/(heads|tags)\//, "") as ByteString);

/** "main 41ff2a7..9d02c11", "main deleted", "main 9d02c11" where it is new. */
function move(ref: ByteString, old: string, value: string): string {
  if (/^0+$/.test(value)) return `${shortRef(ref)} deleted`;
  return `${shortRef(ref)} ${/^0+$/.test(old) ? "" : `${short(old)}..`}${short(value)}`;
}

/** "receipt 412", "receipts 410 to 412", by the repository's own numbers. */
function numbered(receipts: readonly Arrival[]): string {
  const numbers = receipts.map(rcvidOf).sort((a, b) => a - b);
  const [first] = numbers;
  return first === numbers.at(-1) ? `receipt ${first}` : `receipts ${first} to ${numbers.at(-1)}`;
}

/** "main 41ff2a7..9d02c11 by bob, 2 receipts". */
export function summaryOfArrivals(receipts: readonly Arrival[]): string {
  const moves = receipts.flatMap(({ updates }) => updates).filter(({ how }) => how !== "claimed");
  const refs = [...new Set(moves.map(({ ref }) => ref))];
  const [first] = moves;
  const last = moves.at(-1);
  const users = [...new Set(receipts.map(({ user }) => user ?? fromText("?")))].map(displayText);
  const by = users.every((user) => user === "?")
    ? ""
    : ` by ${users.slice(0, 3).join(", ")}${users.length > 3 ? ", …" : ""}`;
  const count = receipts.length === 1 ? "" : `, ${receipts.length} receipts`;
  if (receipts.some(({ native }) => native !== null)) return `${numbered(receipts)}${by}`;
  if (first === undefined || last === undefined) return `nothing new${by}${count}`;
  if (refs.length > 1) return `${refs.length} refs${by}${count}`;
  return `${move(first.ref, first.old, last.new)}${by}${count}`;
}

const COMMITS: ReadonlySet<string> = new Set(["before-commit", "commit-msg", "after-commit"]);
const RECEIVES: ReadonlySet<string> = new Set(["before-receive", "before-ref"]);
/** A record lists no more updates than this. */
export const LISTED = 25;

/** "commit on main by alice", "merge on main", "main 41ff2a7..9d02c11 by bob", "push". */
export function summaryOfGate({ type, native, branch, authorName, user, updates }: JudgedGate): string {
  if (COMMITS.has(type)) {
    const what = native === "pre-merge-commit" ? "merge" : "commit";
    const on = branch === null ? "" : ` on ${shortRef(branch)}`;
    const by = authorName === null || authorName === "" ? "" : ` by ${displayText(authorName)}`;
    return what + on + by;
  }
  const [first] = updates;
  const by = ` by ${displayText(user)}`;
  if (updates.length > 1) return `${updates.length}${updates.length >= LISTED ? " or more" : ""} refs${by}`;
  if (first !== undefined) return move(first.ref, first.old, first.new) + by;
  if (RECEIVES.has(type)) return `push${by}`;
  return type === "before-push" ? "push" : native;
}
