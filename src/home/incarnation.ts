/** Incarnations: the letters before the number of a run, so that no run id is ever given out twice. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { layout } from "../core/layout.ts";
import { MINUTE } from "../core/units.ts";
import { type Given, givenBy } from "../store/backup.ts";

/** a, b, … z, aa, ab, … */
export function nextIncarnation(text: string): string {
  const last = text.at(-1) ?? "";
  const head = text.slice(0, -1);
  if (last !== "z") return head + String.fromCharCode(last.charCodeAt(0) + 1);
  return `${head === "" ? "a" : nextIncarnation(head)}a`;
}

const isLater = (one: string, other: string): boolean =>
  one.length === other.length ? one > other : one.length > other.length;

/**
 * The incarnation for a state that goes on: behind its own, behind that of the database in whose place it comes
 * (`since`), and behind those of databases that earlier restores moved aside: a backup that is restored twice must not
 * make the same one twice. Where the database in its place cannot tell, the letters go on with the time.
 */
export function furtherIncarnation(own: Given, since: Given | null, aside: readonly Given[]): string {
  const known = [own, ...(since === null ? [] : [since]), ...aside].map(({ incarnation }) => incarnation);
  const newest = known.reduce((one, other) => (isLater(other, one) ? other : one));
  return since === null ? nextIncarnation(newest) + letters(Math.floor(Date.now() / MINUTE)) : nextIncarnation(newest);
}

/** The database that a restore moved aside last (null: none), and the name of the next one. */
export function movedAside(database: string): { last: string | null; next: string } {
  const last = asideOf(database).at(-1) ?? null;
  return { last, next: `${database}${ASIDE}${(last === null ? 0 : numberOf(last)) + 1}` };
}

/** What the databases that restores moved aside in the home at `dir` had given out, as far as they can be read. */
export const givenBefore = (dir: string): Given[] =>
  asideOf(layout(dir).database).flatMap((file) => {
    try {
      return [givenBy(file)];
    } catch {
      return []; // it was moved aside because it cannot be read
    }
  });

const ASIDE = ".before-restore-";
const numberOf = (name: string): number => Number(/\d+$/.exec(name)?.[0] ?? 0);

/** The latest last. */
function asideOf(database: string): string[] {
  const start = basename(database) + ASIDE;
  return readdirSync(dirname(database))
    .filter((name) => name.startsWith(start) && /^\d+$/.test(name.slice(start.length)))
    .sort((one, other) => numberOf(one) - numberOf(other))
    .map((name) => join(dirname(database), name));
}

/** A number in letters. */
function letters(number: number): string {
  const text = number >= 26 ? letters(Math.floor(number / 26)) : "";
  return text + String.fromCharCode(97 + (number % 26));
}
