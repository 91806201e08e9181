/**
 * Which run ids a home has given out, for the case that its database is lost: a small file beside it holds the letters
 * of the newest ones. `init`, which then makes a new database, goes on behind them, and so do all that were given out
 * before, since a run id is never given to a second run. Where the file is gone too but other traces of a database are
 * left, the letters go on with the time.
 */
import { existsSync, readFileSync } from "node:fs";
import type { Layout } from "../core/layout.ts";
import { replaceFile } from "../process/replace-file.ts";
import { furtherIncarnation, givenBefore } from "./incarnation.ts";

/** Notes the letters that this home's runs bear from now on. */
export function noteIncarnation({ incarnation }: Layout, letters: string): void {
  if (noted(incarnation) !== letters) replaceFile(incarnation, `${letters}\n`, { mode: 0o600, sync: true });
}

function noted(file: string): string | null {
  try {
    return /^([a-z]{1,64})\n$/.exec(readFileSync(file, "utf8"))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** The letters for the runs of a database that was made anew: "a" where there was none before. */
export function freshIncarnation(places: Layout): string {
  const last = noted(places.incarnation);
  const aside = givenBefore(places.home);
  if (last === null && aside.length === 0 && !existsSync(places.hooksFile)) return "a";
  const own = { incarnation: last ?? "a", numbers: new Map<string, number>() };
  return furtherIncarnation(own, last === null ? null : own, aside);
}
