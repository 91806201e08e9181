/**
 * A gate record: the spool entry that a gate leaves when it has judged a commit or a push.
 *
 *     gatepost 1
 *     kind gate                         always the second line: by it the reader knows which keys may follow
 *     hook pre-commit                   the native hook; dir, namespace … address as in a push entry
 *     run 1b9d6bcd-…                    the run's own name, also that of a file of its own
 *     clock 12345670                    when it ended: milliseconds since the machine started (traced: since 1970)
 *     dir /srv/git/app/.git
 *     type before-commit                the hook type that was judged
 *     verdict refused                   pass, refused, broken or interrupted
 *     took 120                          milliseconds from its start to its verdict
 *     branch refs/heads/main            gates of a commit: what HEAD names, unless detached
 *     author_name alice                 this and author_email, author_date as git exported them, if it did
 *     reason its compile is missing     why it is broken, if it is
 *     ran 3 pass 0 40                   a hook that ran: its id, what came of it, exit status, milliseconds; 0 is the
 *                                       chained one, team:NAME or team:PLACE one of the work tree's gatepost.json
 *     skipped 4 path                    a hook that was not called for, and why
 *     unrun 9                           a hook behind the one that refused
 *     updates                           pre-receive and update only; then one line OLD NEW REF for each of the first 25
 *     end 1                             number of those lines; "end 25+" where there may be more
 *
 * The rules are those of entry.ts: folded newlines, whole only when the last line says so, bad with a reason for all that
 * does not fit, never a throw. `ran`, `skipped` and `unrun` keep their order, which is that of the hooks. Hook 0 is the
 * chained hook. A gate that judged nothing (its compile is missing) has none of the three.
 *
 * Whoever may push can write what they like in here, under their own user id: there is a limit on each list, and what a
 * record says decides nothing. The gate's side is src/shim/runtime/gate.sh.
 *
 * Pure. Proven by test/spool/gate-entry.test.ts.
 */
import { type ByteString, fromBuffer, toBuffer } from "../core/bytes.ts";
import {
  type Bad,
  bad,
  cannotBeWritten,
  closingLines,
  type EntryUpdate,
  headerLine,
  type Keys,
  MOST_ROWS,
  originOf,
  readSheet,
} from "./entry.ts";

const VERDICTS = ["pass", "refused", "broken", "interrupted"] as const;
const WORDS = ["pass", "refused", "advisory", "timeout", "broken", "signal"] as const;
const WHYS = ["path", "ref", "asked", "none", "moved"] as const;

export type Verdict = (typeof VERDICTS)[number];

/** Stands for the id of a hook of a team file, which has none. */
export const TEAM_HOOK = -1;

/** What became of one hook; `status` is the exit status as sh saw it, `took` milliseconds. `team`: where the hook is
 *  TEAM_HOOK, its name in gatepost.json, or its place there from 1. */
export type GateHook = { hook: number; team?: string } & (
  | { line: "ran"; word: (typeof WORDS)[number]; status: number; took: number }
  | { line: "skipped"; why: (typeof WHYS)[number] }
  | { line: "unrun" }
);

export type GateEntry = {
  kind: "gate";
  hook: string;
  dir: ByteString;
  namespace: ByteString | null;
  glUser: ByteString | null;
  glRepo: ByteString | null;
  remoteUser: ByteString | null;
  address: ByteString | null;
  run: string | null;
  clock: number | null;
  type: string;
  verdict: Verdict;
  took: number;
  branch: ByteString | null;
  authorName: ByteString | null;
  authorEmail: ByteString | null;
  authorDate: ByteString | null;
  reason: ByteString | null;
  hooks: readonly GateHook[];
  updates: readonly EntryUpdate[]; // refs without the prefix of the namespace
  more: boolean; // there may be more updates than these
};

export type ParsedGate = { state: "whole"; entry: GateEntry } | { state: "partial" } | Bad;

/** Of a push, no more updates than these are in a record. */
export const MOST_UPDATES = 25;

const single = {
  kind: "kind",
  hook: "hook",
  run: "run",
  clock: "clock",
  dir: "dir",
  namespace: "namespace",
  gl_user: "glUser",
  gl_repo: "glRepo",
  remote_user: "remoteUser",
  address: "address",
  type: "type",
  verdict: "verdict",
  took: "took",
  branch: "branch",
  author_name: "authorName",
  author_email: "authorEmail",
  author_date: "authorDate",
  reason: "reason",
} as const;
const keys: Keys = {
  single: Object.keys(single),
  repeated: ["ran", "skipped", "unrun"],
  tooMany: `tells of more than ${MOST_ROWS} hooks`,
};

const runName = /^[0-9A-Za-z-]{1,64}$/;
const typeName = /^(git:)?[a-z]+(-[a-z]+)*$/;
const count = /^(0|[1-9][0-9]{0,11})$/;
const someHook = /^(?:(0|[1-9][0-9]{0,11})|team:([1-9][0-9]{0,5}|[A-Za-z_][A-Za-z0-9_.-]{0,63}))$/;
const ranLine = /^([^ ]+) ([a-z]+) (0|[1-9][0-9]{0,5}) (0|[1-9][0-9]{0,11})$/;
const skippedLine = /^([^ ]+) ([a-z]+)$/;

/** How every gate record begins. */
export const GATE_START = Buffer.from("gatepost 1\nkind gate\n", "latin1");

/** Whether these first bytes of an entry are those of a gate record. */
export const isGateStart = (bytes: Uint8Array): boolean =>
  fromBuffer(bytes.subarray(0, GATE_START.length)) === fromBuffer(GATE_START);

/** Reads one gate record. Never throws. Linear in the number of bytes. */
export function parseGateEntry(bytes: Uint8Array): ParsedGate {
  const read = readSheet(bytes, keys);
  if (read.state !== "whole") return read;
  const { values, rows, updates, more } = read.sheet;
  const kind = values.get("kind");
  if (kind !== undefined && kind !== "gate") return bad("is of an unknown kind");
  const origin = originOf(read.sheet);
  if ("state" in origin) return origin;
  const type = values.get("type");
  const verdict = oneOf(VERDICTS, values.get("verdict"));
  const took = values.get("took");
  const clock = values.get("clock");
  const run = values.get("run") ?? null;
  if (run !== null && !runName.test(run)) return bad("has no run name");
  if (clock !== undefined && !/^[0-9]{1,15}$/.test(clock)) return bad("does not say when it ended");
  if (type === undefined || !typeName.test(type)) return bad("names no hook type");
  if (verdict === null) return bad("has no verdict");
  if (took === undefined || !count.test(took)) return bad("does not say how long it took");
  if (updates.length > MOST_UPDATES) return bad(`lists more than ${MOST_UPDATES} updates`);
  const hooks = rows.map(([key, value]) => readHook(key, value));
  const wrong = hooks.indexOf(null);
  if (wrong !== -1) return bad(`its line ${wrong + 1} about a hook is none`);
  const entry: GateEntry = {
    kind: "gate",
    ...origin,
    run,
    clock: clock === undefined ? null : Number(clock),
    type,
    verdict,
    took: Number(took),
    branch: values.get("branch") ?? null,
    authorName: values.get("author_name") ?? null,
    authorEmail: values.get("author_email") ?? null,
    authorDate: values.get("author_date") ?? null,
    reason: values.get("reason") ?? null,
    hooks: hooks.filter((hook) => hook !== null),
    updates,
    more,
  };
  return { state: "whole", entry };
}

const oneOf = <Word extends string>(words: readonly Word[], text: string | undefined): Word | null =>
  words.find((word) => word === text) ?? null;

/** What one line says of a hook; null where it is not as it should be. */
function readHook(line: string, value: string): GateHook | null {
  if (line === "ran") {
    const [, hook, given, status, took] = ranLine.exec(value) ?? [];
    const word = oneOf(WORDS, given);
    const which = whichHook(hook);
    if (word === null || which === null) return null;
    return { line, ...which, word, status: Number(status), took: Number(took) };
  }
  if (line === "skipped") {
    const [, hook, given] = skippedLine.exec(value) ?? [];
    const why = oneOf(WHYS, given);
    const which = whichHook(hook);
    return why === null || which === null ? null : { line, ...which, why };
  }
  const which = whichHook(value);
  return which === null ? null : { line: "unrun", ...which };
}

function whichHook(word: string | undefined): Pick<GateHook, "hook" | "team"> | null {
  const [, id, team] = someHook.exec(word ?? "") ?? [];
  if (team !== undefined) return { hook: TEAM_HOOK, team };
  return id === undefined ? null : { hook: Number(id) };
}

function hookValue(one: GateHook): string {
  const which = one.team === undefined ? String(one.hook) : `team:${one.team}`;
  if (one.line === "ran") return `${which} ${one.word} ${one.status} ${one.took}`;
  return one.line === "skipped" ? `${which} ${one.why}` : which;
}

/** The bytes of a gate record, as a gate would write it: `parseGateEntry` gives the same back. What the format cannot
 *  hold is a mistake of the caller: GP_BUG. */
export function formatGateEntry(entry: GateEntry): Buffer {
  let text = "gatepost 1\n";
  for (const [key, field] of Object.entries(single)) {
    const value = entry[field];
    if (value !== null) text += headerLine(key, String(value));
  }
  for (const hook of entry.hooks) text += headerLine(hook.line, hookValue(hook));
  if (entry.updates.length > 0) text += "updates\n";
  const bytes = toBuffer((text + closingLines(entry.updates, entry.more)) as ByteString);
  const parsed = parseGateEntry(bytes);
  if (parsed.state !== "whole" || parsed.entry.updates.length !== entry.updates.length) throw cannotBeWritten(parsed);
  return bytes;
}
