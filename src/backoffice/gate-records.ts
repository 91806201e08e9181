/**
 * Gate records into the database: each becomes a gate, and each hook it tells of a run that is over.
 *
 * A record decides nothing and starts nothing, so no lease is asked for: whoever finds it stores it, a backoffice at its
 * next look or `gatepost runs` before it lists. Two that find the same one at once are told apart by the entry's name,
 * of which there is one gate at most. The file goes after the commit: a death in between shows the record once more,
 * and it is known by its name.
 *
 * Proven by test/e2e/gate-runs.test.ts.
 */
import { constants } from "node:os";
import { displayText } from "../core/bytes.ts";
import { DEFAULT_SEQUENCE, type Hook } from "../core/hook.ts";
import { formatDuration, type HookId, type Instant, type Millis, type RepositoryId } from "../core/units.ts";
import { removeEntry, type SpooledGate, type Unusable } from "../spool/drain.ts";
import { namespacedRef } from "../spool/entry.ts";
import { formatGateEntry, type GateEntry, type GateHook } from "../spool/gate-entry.ts";
import { removeGateLog, takeGateLogs } from "../spool/gate-log.ts";
import { requireInPlace, write } from "../store/database.ts";
import { addGate, type GateUpdate } from "../store/gate.ts";
import { hookById } from "../store/hook.ts";
import { addGateRun, type NewGateRun } from "../store/run.ts";
import { type HomeContext, now } from "./context.ts";
import { originFinder, strangerReason } from "./origin.ts";
import { senderOf } from "./who.ts";

/** So many records are stored in one transaction, so that nobody waits long behind a spool that was full. */
const STEP = 200;

export type GateHome = Pick<HomeContext, "db" | "layout" | "uid" | "incarnation">;

/** Stores gate records, oldest first, and removes their files. Those of no repository of this home come back with the
 *  reason, to be set aside. Throws GP_BUSY when another process writes for longer than `patience`, and GP_DAMAGED when
 *  the database is not in its place any more: then what is not stored is still in the spool. */
export function storeGateRecords(home: GateHome, gates: readonly SpooledGate[], patience?: Millis): Unusable[] {
  const find = originFinder(home);
  const strangers: Unusable[] = [];
  const known: { id: RepositoryId; gate: SpooledGate }[] = [];
  for (const gate of gates) {
    const id = find(gate.entry.dir);
    if (id === null) strangers.push({ name: gate.name, reason: strangerReason(gate.entry.dir) });
    else known.push({ id, gate });
  }
  for (let at = 0; at < known.length; at += STEP) {
    const step = known.slice(at, at + STEP);
    const store = (): void => {
      const hooks = hookReader(home);
      for (const { id, gate } of step) storeOne(home, id, gate, hooks);
      requireInPlace(home.db);
    };
    write(home.db, store, patience);
    for (const { gate } of step) removeEntry(home.layout.spool, gate.name);
  }
  return strangers;
}

/** Stores what is in the log of gates, likewise. What cannot be used comes back when its file is read for the last time. */
export function storeGateLog(home: GateHome, patience?: Millis): Unusable[] {
  const storing = storeGateLogInTurns(home, patience);
  for (;;) {
    const step = storing.next();
    if (step.done === true) return step.value;
  }
}

/** The same a thousand records at a time, so that the caller can let others work in between. */
export function* storeGateLogInTurns(home: GateHome, patience?: Millis): Generator<void, Unusable[]> {
  const unusable: Unusable[] = [];
  const others = new Map<string, Strangers>(); // by log: those of a thousand strangers are one file
  for (const part of takeGateLogs(home.layout.spool, Date.now())) {
    const strangers = others.get(part.log) ?? { count: 0, first: "", bytes: [] };
    others.set(part.log, strangers);
    for (const { name, reason } of storeGateRecords(home, part.gates, patience)) {
      if (strangers.count === 0) strangers.first = reason;
      strangers.count += 1;
      const record = strangers.bytes.length < STEP ? part.gates.find((gate) => gate.name === name) : undefined;
      if (record !== undefined) strangers.bytes.push(formatGateEntry(record.entry));
    }
    if (part.done) {
      if (part.unusable !== null) unusable.push(part.unusable);
      if (strangers.count > 0) unusable.push(strangersOf(part.log, strangers));
      removeGateLog(home.layout.spool, part.log);
    }
    yield;
  }
  return unusable;
}

type Strangers = { count: number; first: string; bytes: Buffer[] };

function strangersOf(log: string, { count, first, bytes }: Strangers): Unusable {
  const more = count === 1 ? "" : ` (the first of ${count} records of one log of gates)`;
  return { name: `${log}.strangers.entry`, reason: `${first}${more}`, bytes: Buffer.concat(bytes) };
}

type HookReader = (id: number) => Hook | null;

function hookReader({ db }: GateHome): HookReader {
  const known = new Map<number, Hook | null>();
  return (id) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const hook = hookById(db, id as HookId);
    known.set(id, hook);
    return hook;
  };
}

function storeOne(home: GateHome, repository: RepositoryId, spooled: SpooledGate, hooks: HookReader): void {
  const { entry, uid, name } = spooled;
  // Whoever owns the file can set its time to anything.
  const at = Math.max(0, Math.min(Math.trunc(spooled.at), now())) as Instant;
  const { type, verdict, took, reason, branch, authorName, authorEmail, authorDate } = entry;
  const who = { uid, ...senderOf(spooled, home.uid) };
  const facts = { verdict, reason, branch, authorName, authorEmail, authorDate };
  const judged = { repository, entry: name, type, native: entry.hook, at, took: took as Millis };
  const gate = addGate(home.db, { ...judged, ...who, ...facts }, updatesOf(entry));
  if (gate === null) return;
  const common = { incarnation: home.incarnation, repository, type, gate, endedAt: at };
  let from = at - took;
  for (const line of entry.hooks) {
    const hook = hooks(line.hook);
    const chained = line.hook === 0;
    const named = {
      hook: line.hook as HookId,
      hookName: chained ? "(chained)" : line.team === undefined ? (hook?.name ?? null) : `team:${line.team}`,
      sequence: chained ? 0 : (hook?.sequence ?? DEFAULT_SEQUENCE),
    };
    addGateRun(home.db, { ...common, ...named, ...outcomeOf(line, hook, entry, from, at) });
    if (line.line === "ran") from += line.took; // those that ran side by side are told one after the other
  }
  if (entry.hooks.some(isToBlame) || (verdict === "pass" && entry.hooks.length > 0)) return;
  const why = reason === null ? verdict : displayText(reason);
  const own = { hook: 0 as HookId, hookName: "(gate)", sequence: 0, attempt: null };
  const end =
    verdict === "pass" ? ({ state: "done", reason: null } as const) : ({ state: "failed", reason: why } as const);
  addGateRun(home.db, { ...common, ...own, ...end });
}

const updatesOf = ({ namespace, updates }: GateEntry): GateUpdate[] =>
  updates.map((update) => ({ ...update, ref: namespacedRef(namespace, update.ref) }));

/** Whether this hook is why its gate did not pass. If none is, the gate itself gets a run that says so. */
const isToBlame = (line: GateHook): boolean => line.line === "ran" && line.word !== "pass" && line.word !== "advisory";

const WHY = {
  path: "no staged path matches --path",
  ref: "--ref did not match",
  asked: "GATEPOST_SKIP names it",
  none: "no path left for --stdin paths",
  moved: "the file that it was moved from ran",
} as const;

type Outcome = Pick<NewGateRun, "state" | "reason" | "attempt">;

/** What a line of a record says, as a run; `from` is about when the hook started, `at` when the gate ended. */
function outcomeOf(line: GateHook, hook: Hook | null, entry: GateEntry, from: number, at: Instant): Outcome {
  if (line.line === "skipped") return { state: "skipped", reason: WHY[line.why], attempt: null };
  if (line.line === "unrun") {
    const why = entry.verdict === "interrupted" ? "the gate was interrupted" : "a hook before it refused";
    return { state: "skipped", reason: `not run: ${why}`, attempt: null };
  }
  const { word, status, took } = line;
  const startedAt = Math.min(from, at) as Instant;
  const times = { startedAt, endedAt: Math.min(startedAt + took, at) as Instant, took: took as Millis };
  const exited = { ...times, outcome: "exit", exitCode: status, detail: null } as const;
  const ended = { ...times, exitCode: null } as const;
  switch (word) {
    case "pass":
      return { state: "done", reason: null, attempt: exited };
    case "refused":
      return { state: "failed", reason: `exit ${status}`, attempt: exited };
    case "advisory":
      return { state: "failed", reason: `exit ${status}, advisory`, attempt: exited };
    case "broken": {
      const reason = `could not be run (${status})`;
      if (status === 126 || status === 127 || entry.reason === null)
        return { state: "failed", reason, attempt: exited };
      // What the hook needs could not be had, and its command was not begun.
      const why = displayText(entry.reason);
      return { state: "failed", reason: why, attempt: { ...ended, outcome: "not-started", detail: why } };
    }
    case "timeout": {
      const reason = `timed out after ${formatDuration(hook?.timeout ?? took)}`;
      return { state: "failed", reason, attempt: { ...ended, outcome: "timeout", detail: null } };
    }
    case "signal": {
      const number = status > 128 ? status % 128 : status; // shells report 128 (ksh: 256) and the signal's number
      const reason = `killed by signal ${number}`;
      return { state: "failed", reason, attempt: { ...ended, outcome: "signal", detail: signalName(number) } };
    }
  }
}

const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? String(number);
