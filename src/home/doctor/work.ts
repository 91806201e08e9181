/** What waits in a home for somebody who does not come: runs that lost their backoffice, runs that are parked, and files
 *  in the spool that nobody will read. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { provenDead } from "../../backoffice/keeper.ts";
import { runName } from "../../backoffice/trial.ts";
import type { Layout } from "../../core/layout.ts";
import { typed } from "../../core/shell-word.ts";
import { MINUTE } from "../../core/units.ts";
import { namesIn } from "../../shim/look-in.ts";
import { ENTRY_NAME } from "../../spool/entry.ts";
import { snapshot } from "../../store/database.ts";
import { countParked } from "../../store/invariants.ts";
import { readLease } from "../../store/lease.ts";
import type { RepositoryRow } from "../../store/repository.ts";
import { lostAttempts, runById } from "../../store/run.ts";
import type { OpenHome } from "../open.ts";
import { type Pause, pauseInWords, pausesOf } from "../pause.ts";
import { counted, type Finding, few, PARKED, warning } from "./finding.ts";

/** Runs that are open, but not under a lease that anybody holds. */
export function examineOpen({ db }: OpenHome): Finding[] {
  const open = snapshot(db, () => {
    const lease = readLease(db);
    if (lease === null || (lease.holder !== null && !provenDead(lease))) return [];
    return lostAttempts(db, lease.token + 1).flatMap(({ run }) => runById(db, run) ?? []);
  });
  return open.map((run) =>
    warning("backoffice", `Run ${runName(run)} is open and its backoffice is gone.`, "gatepost backoffice"),
  );
}

/** Runs of a repository that only a person lets go on. */
export function examineParked({ db }: OpenHome, { id, name }: RepositoryRow): Finding[] {
  const count = countParked(db, id);
  if (count === 0) return [];
  return [warning("runs", `${counted(count, "run")} of ${name} ${count === 1 ? "is" : "are"} parked.`, PARKED)];
}

/** Pauses: on purpose, and easily forgotten. */
export function examinePauses(home: OpenHome, row: RepositoryRow): Finding[] {
  const words = (pause: Pause): string =>
    pauseInWords(pause, (at) => `on ${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`);
  const { repositories, hooks } = pausesOf(home, row);
  return [
    ...repositories.map(({ name, path, pause }) =>
      warning("pause", `${name} is paused ${words(pause)}`, `gatepost resume -R ${typed(path)}`),
    ),
    ...hooks.map(({ hook, pause }) => {
      const word = hook.name ?? String(hook.id);
      return warning("pause", `Hook ${word} is paused ${words(pause)}`, `gatepost resume --hook ${word}`);
    }),
  ];
}

/** Names of ours besides entries: what rings a backoffice, the log of gates, and what is being set aside. */
const OURS = /^(?:ring|bad|gates(?:\..*)?|.*\.aside)$/;

/** Files in the spool that are no entries, not even bad ones; what came this minute may still become one. */
export function examineStrange({ spool }: Layout): Finding[] {
  const strange = namesIn(spool).filter((name) => {
    if (ENTRY_NAME.test(name) || OURS.test(name)) return false;
    const stat = lstatSync(join(spool, name), { throwIfNoEntry: false });
    return stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) > MINUTE;
  });
  if (strange.length === 0) return [];
  const says = `${counted(strange.length, "file")} in ${spool} ${strange.length === 1 ? "is no entry" : "are no entries"}, and nobody reads ${strange.length === 1 ? "it" : "them"}: ${few(strange)}.`;
  return [warning("spool", says, `See whose ${strange.length === 1 ? "it is" : "they are"}: ls -l ${typed(spool)}`)];
}
