/**
 * The backoffice of root, which only supervises.
 *
 * A home is full of what others chose: a database, entries, paths, pointers, and hooks. Root would be everybody's deputy
 * if it opened any of that. So for each owner it starts one worker, this program as that user, which finds, opens and
 * runs; root itself looks at who owns what was named (lstat, and nothing else) and at who has a register of homes.
 * A name whose owner changes between root's look and the worker's leads nowhere: the worker may do what its user may,
 * and runs homes of its own user alone. Root's own homes are worked on by root, by the same rule.
 *
 * Rules
 *   1. What root's process is asked for by signals goes on to the workers, and it ends after the last of them. If it is
 *      killed, the kernel sends TERM to the workers.
 *   2. A worker of a backoffice that stays is started again when it dies: after a second, then ever later, up to a minute.
 *   3. A single pass waits for all workers, some at a time, and ends with the first exit code that is not 0.
 *   4. Whoever cannot be worked for (no passwd entry, a register that is not their own) is named; the others are served.
 *
 * Proven by test/fault/privileges.test.ts.
 */
import { lstatSync, realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import type { Log } from "../backoffice/context.ts";
import { EXIT, GatepostError, inOneLine } from "../core/errors.ts";
import { requireSetpriv, type Started, startAs } from "../process/as-user.ts";
import { whenAborted, within } from "../process/pace.ts";
import { findUsers, type User } from "../process/users.ts";
import { locate, requireGiven } from "./locate.ts";
import { lookAt, programFile } from "./open.ts";
import { readRegister } from "./register.ts";

/** What was called: the command with its options (not those that name homes), and what it named. */
export type Called = {
  words: readonly string[];
  paths: readonly string[];
  home: string | undefined;
  cwd: string;
  /** It goes on until it is told to stop. */
  stays: boolean;
  log: Log;
  signals: Signals;
  /** Called once all workers of a backoffice that stays were started. */
  ready?: () => void;
};

/** What root's process is asked for: to end in order, without grace, and to read anew. */
export type Signals = { stop: AbortSignal; hurry: AbortSignal; onReload: (then: () => void) => void };

/** What one worker does: `user` null is root itself. Without names it works on all homes in its user's register. */
type Share = { user: User | null; names: string[] };

/** Supervises, if root was asked to work for others; the exit code. Null: this process works itself, as any user does. */
export async function superviseForRoot(called: Called): Promise<number | null> {
  if (process.geteuid?.() !== 0) return null;
  const shares = await sharesOf(called);
  if (shares === null || shares.every(({ user }) => user === null)) return null;
  return await supervise(called, shares);
}

/** Who owns what stands at that path, as far as lstat tells; a link of root's own is followed. Null: nothing is there. */
export function ownerOf(path: string): number | null {
  try {
    const stat = lstatSync(path);
    return stat.uid === 0 && stat.isSymbolicLink() ? lstatSync(realpathSync(path)).uid : stat.uid;
  } catch {
    return null;
  }
}

async function sharesOf(called: Called): Promise<Share[] | null> {
  const { paths, home, cwd } = called;
  for (const name of [...paths, home]) requireGiven(name);
  if (home !== undefined) return await byOwner(called, [resolve(cwd, home)], (name) => ["--home", name]);
  if (paths.length > 0)
    return await byOwner(
      called,
      paths.map((path) => resolve(cwd, path)),
      (name) => [name],
    );
  return isInRepository(cwd) ? null : await byRegister(called);
}

/** Of a folder of others root does not ask what it is in. */
function isInRepository(cwd: string): boolean {
  if (ownerOf(cwd) !== 0) return false;
  try {
    locate({ cwd });
    return true;
  } catch (error) {
    return !(error instanceof GatepostError && /^GP_(NO_REPOSITORY|NOT_OWNER)$/.test(error.code));
  }
}

/** One share for each owner of what was named. What is not there is left to root's own, which says so. */
async function byOwner({ log }: Called, names: string[], words: (name: string) => string[]): Promise<Share[] | null> {
  const shares = new Map<number, Share>();
  const nobody: string[] = [];
  for (const name of names) {
    const uid = ownerOf(name) ?? 0;
    const share = shares.get(uid) ?? { user: uid === 0 ? null : await userOf(uid), names: [] };
    if (share.user === null && uid !== 0) nobody.push(`${name} belongs to uid ${uid}, of which no user is known`);
    else shares.set(uid, { ...share, names: [...share.names, ...words(name)] });
  }
  if (shares.size === 0)
    throw new GatepostError("GP_NOT_OWNER", `${nobody[0]}. Nothing was done.`, { hint: "Give it to a user: chown" });
  if ([...shares.keys()].every((uid) => uid === 0)) return null; // this process finds out about the others itself
  for (const what of nobody) log("error", `${what}: it is not worked on. Give it to a user: chown`);
  if (nobody.length > 0) process.exitCode = EXIT.denied;
  return [...shares.values()];
}

const userOf = async (uid: number): Promise<User | null> => (await findUsers(uid))[0] ?? null;

/** One share for each user who has a register of homes. */
async function byRegister({ log }: Called): Promise<Share[]> {
  const shares: Share[] = [];
  for (const user of await findUsers()) {
    if (user.uid === 0) continue;
    const file = join(user.home, ".local", "state", "gatepost", "homes");
    const stat = lookAt(file);
    if (stat === null) continue;
    if (stat.uid === user.uid && stat.isFile()) shares.push({ user, names: [] });
    else if (!isSomeonesElse(user.home, user)) log("error", `${file} is not ${user.name}'s own file: it is not read.`);
  }
  const own = readRegister().map(({ path }) => path);
  const roots = own.filter((path) => ownerOf(path) === 0);
  if (roots.length > 0 && shares.length > 0) shares.push({ user: null, names: roots });
  return shares;
}

/** Many system users have "/" or another's folder as their home. */
const isSomeonesElse = (folder: string, user: User): boolean => lookAt(folder)?.uid !== user.uid;

type Worker = { who: string; started: Started | null };

async function supervise(called: Called, shares: readonly Share[]): Promise<number> {
  requireSetpriv(); // before the first is started
  process.umask(0o077);
  const workers: Worker[] = [];
  const { stop, hurry, onReload } = called.signals;
  const passOn = (signal: NodeJS.Signals): void => {
    for (const { started } of workers) started?.send(signal);
  };
  hurry.addEventListener("abort", () => passOn("SIGQUIT"));
  stop.addEventListener("abort", () => passOn("SIGTERM"));
  onReload(() => passOn("SIGHUP"));
  if (stop.aborted) return 0;
  const work = async (share: Share): Promise<number> => {
    const worker: Worker = { who: share.user?.name ?? "root", started: null };
    workers.push(worker);
    return await (called.stays ? keepUp(called, share, worker, stop) : once(called, share, worker));
  };
  if (!called.stays) return firstBad(await someAtATime(shares, stop, work));
  const all = shares.map(work);
  called.log(
    "info",
    `supervising a worker for each of ${workers.map(({ who }) => who).join(", ")} (pid ${process.pid})`,
  );
  called.ready?.();
  return firstBad(await Promise.all(all));
}

const firstBad = (codes: readonly number[]): number => codes.find((code) => code !== 0) ?? 0;

/** Each starts a Node of its own. */
async function someAtATime(
  shares: readonly Share[],
  signal: AbortSignal,
  work: (share: Share) => Promise<number>,
): Promise<number[]> {
  const codes: number[] = shares.map(() => 0);
  const waiting = [...shares.entries()];
  const line = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift())
      codes[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, line));
  return codes;
}

function start({ words }: Called, { user, names }: Share, worker: Worker): Started["ended"] {
  const isHome = names[0] === "--home";
  const named = isHome || names.length === 0 ? names : ["--", ...names];
  worker.started = startAs(user, [programFile(), ...words, ...named], { cwd: "/" });
  return worker.started.ended;
}

async function once(called: Called, share: Share, worker: Worker): Promise<number> {
  try {
    const { code, signal } = await start(called, share, worker);
    if (signal !== null) called.log("error", `the worker of ${worker.who} was ended by ${signal}`);
    return code ?? 1;
  } catch (error) {
    return reported(called, worker, error);
  }
}

const reported = ({ log }: Called, { who }: Worker, error: unknown): number => {
  if (!(error instanceof GatepostError)) throw error;
  log("error", `the worker of ${who} could not be started: ${inOneLine(error)}`);
  return error.exitCode;
};

const [SHORTEST, LONGEST] = [1000, 60_000];

/** Starts the worker, and again whenever it dies, until the signal aborts; the exit code of the last. */
async function keepUp(called: Called, share: Share, worker: Worker, stop: AbortSignal): Promise<number> {
  const stopped = whenAborted(stop);
  let pause = 0;
  for (;;) {
    const began = performance.now();
    const ended = await start(called, share, worker).catch((error) => ({
      code: reported(called, worker, error),
      signal: null,
    }));
    worker.started = null;
    if (stop.aborted) return ended.code ?? (ended.signal === "SIGTERM" ? 0 : 1); // TERM: it had not come up yet
    if (ended.code === EXIT.usage) return ended.code; // a call that is wrong stays wrong
    pause = performance.now() - began > LONGEST ? 0 : Math.min(Math.max(2 * pause, SHORTEST), LONGEST);
    const how = ended.signal === null ? `with exit code ${ended.code}` : `by ${ended.signal}`;
    called.log(
      "error",
      `the worker of ${worker.who} ended ${how}; it is started again in ${Math.round(pause / 1000)} s`,
    );
    await within(pause, stopped);
    if (stop.aborted) return 0; // nothing of it was left to end
  }
}
