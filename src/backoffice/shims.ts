/**
 * Shims that vanish: a new hooks folder from a template, a manager that writes its own hook over ours, a colleague who
 * tidies up. Git asks no gate then, in silence; so each pass looks whether the shims that should stand still do.
 *
 * Cheaply: when all were seen, the times of the hooks folders were kept (repository.hooks_seen). A folder whose time and
 * inode are the same holds the names it held: one stat, and no more where nothing changed. A time that was less than 2 s
 * old when it was kept may hide a later change (clocks of file systems are coarse), and is looked behind once more when
 * it has come of age. Each full look trusts no time at all. The repository's configuration
 * is looked at in the same way, since core.hooksPath may name another folder there, in which Git asks none of our gates:
 * that is told of too, and left to whoever set it. Of a Fossil repository the file's own time stands for the
 * entry in its hook list.
 *
 * What vanished is an event (on:gate-missing), stored before it is put back: if this process dies in between, the next
 * pass puts it back and the hooks run all the same. It is told of once: while it cannot be put back it is no second event,
 * and once it stands again the event is over. A repository that was taken out of its home misses nothing.
 *
 * What should stand is for whoever made the context to say (home/vanished.ts): the backoffice knows no shims.
 * Proven by test/e2e/vanished.test.ts.
 */
import { type BigIntStats, statSync } from "node:fs";
import { join } from "node:path";
import { typed } from "../core/shell-word.ts";
import type { RepositoryId } from "../core/units.ts";
import { endEvent, lastingEvents } from "../store/event.ts";
import { writeAsHolder } from "../store/lease.ts";
import { hooksFolders, listRepositories, noteHooksSeen, type RepositoryRow } from "../store/repository.ts";
import { type HomeContext, type Missing, now } from "./context.ts";
import { raise } from "./events.ts";

/** A time less old than this may stand for two states, in milliseconds. */
const YOUNG = 2000;

/** Whether shims of a repository may have vanished since all were seen; from what stats say. */
export function mayMissShims({ hooksSeen }: Pick<RepositoryRow, "hooksSeen">, at: number): boolean {
  if (hooksSeen === null) return true;
  const { of, young } = JSON.parse(hooksSeen) as Seen;
  for (const [path, was] of Object.entries(of)) if (textOf(statOf(path)) !== was) return true;
  return young !== undefined && Math.abs(at - young) > YOUNG;
}

/** Times of what was looked at; `young`: the newest (ms), where it was not to be trusted yet. */
type Seen = { of: Record<string, string>; young?: number };

/** The state of a repository's hooks folders as of now, to compare with later. To be taken before they are looked into. */
function seenOf(row: RepositoryRow, at: number): string {
  const of: Seen["of"] = {};
  let newest = 0;
  const add = (path: string): void => {
    const stat = statOf(path);
    of[path] = textOf(stat);
    newest = Math.max(newest, Number((stat?.ctimeNs ?? 0n) / 1_000_000n));
  };
  for (const { path, use } of hooksFolders(row)) {
    if (use === "left") continue;
    add(path);
    if (row.kind === "git") add(join(row.path, "config")); // where another folder may be named
    if (row.kind === "git")
      for (const inside of [join(path, "gatepost"), join(path, "gatepost", "after")])
        if (statOf(inside) !== null) add(inside);
  }
  return JSON.stringify(Math.abs(at - newest) > YOUNG ? { of } : { of, young: newest });
}

function statOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

/** The time of the last change, which nobody can set: the other one may be put back, as by `touch -r` or a copying tool. */
const textOf = (stat: BigIntStats | null): string => (stat === null ? "-" : `${stat.ino} ${stat.ctimeNs}`);

/**
 * Looks after the shims of a home: reports what vanished, and has it put back; brings gates and shims in line where an
 * edit was left unfinished, and at each full look (`full`). To be called by the holder of `token`.
 */
export async function tendShims(ctx: HomeContext, token: number, full: boolean): Promise<void> {
  const at = Date.now();
  const unfinished = ctx.isOutOfLine();
  const rows = listRepositories(ctx.db).filter((row) => full || unfinished || mayMissShims(row, at));
  if (rows.length === 0) return;
  const seen = new Map(rows.map((row) => [row.id, seenOf(row, at)]));
  const ids = new Set(rows.map(({ id }) => id));
  const missing = unfinished ? [] : await ctx.missingShims(ids); // else an edit has not put it there yet
  const news = missing.length === 0 ? [] : report(ctx, token, missing);
  if (full || unfinished || missing.length > 0) await ctx.refreshGates();
  const still = missing.length === 0 ? [] : await ctx.missingShims(ids);
  const left = new Set(still.map(keyOf));
  for (const one of news) {
    const end = left.has(keyOf(one)) ? "cannot be put back" : "is put back";
    const mend = left.has(keyOf(one)) ? ` See: gatepost doctor --home ${typed(ctx.layout.home)}` : "";
    ctx.log("error", `${nameOf(rows, one)}: ${sentence(one)}. It ${end}.${mend}`);
  }
  settle(ctx, token, { rows, seen, standing: unfinished ? null : left, touched: missing.length > 0 || unfinished });
}

const keyOf = ({ folder, hook }: Pick<Missing, "folder" | "hook">): string => `${hook} in ${folder}`;

const sentence = ({ hook, folder, how, shared }: Missing): string =>
  `the shim ${hook} ${how} ${how === "is gone" ? "from" : "in"} ${folder}${shared > 1 ? `, which ${shared} repositories use` : ""}`;

const nameOf = (rows: readonly RepositoryRow[], { repository }: Missing): string =>
  rows.find(({ id }) => id === repository)?.name ?? String(repository);

/** Stores an event for each that is news, and returns those. */
function report(ctx: HomeContext, token: number, missing: readonly Missing[]): Missing[] {
  return writeAsHolder(ctx.db, token, () => {
    const rows = new Map(listRepositories(ctx.db).map((row) => [row.id, row]));
    return missing.filter((one) => {
      const row = rows.get(one.repository);
      if (row === undefined) return false;
      const facts = {
        says: sentence(one),
        mend: `gatepost doctor --fix -R ${typed(row.workTree ?? row.path)}`,
        missing: { hook: one.hook, folder: one.folder, how: one.how, repositories: one.shared },
      };
      return raise(ctx, row, { name: "gate-missing", cause: keyOf(one), facts }, now()) !== null;
    });
  });
}

type Looked = {
  rows: readonly RepositoryRow[];
  seen: ReadonlyMap<RepositoryId, string>;
  /** What is missing still; null where that was not looked for. */
  standing: ReadonlySet<string> | null;
  /** Folders were written to since their times were taken. */
  touched: boolean;
};

/** Ends the events of what stands again, and keeps the times of the folders that were looked into. */
function settle(ctx: HomeContext, token: number, { rows, seen, standing, touched }: Looked): void {
  const over = rows.flatMap(({ id }) =>
    standing === null ? [] : lastingEvents(ctx.db, id, "gate-missing").filter(({ cause }) => !standing.has(cause)),
  );
  // Where shims were put back, the times of now are theirs; a change in between shows by its own time, or is young.
  const at = Date.now();
  const fresh = rows.map((row) => [row, touched ? seenOf(row, at) : (seen.get(row.id) ?? null)] as const);
  const changed = fresh.filter(([row, text]) => row.hooksSeen !== text);
  if (over.length === 0 && changed.length === 0) return;
  writeAsHolder(ctx.db, token, () => {
    for (const { id } of over) endEvent(ctx.db, { id, now: now() });
    for (const [{ id }, text] of changed) noteHooksSeen(ctx.db, { id, seen: text });
  });
}
