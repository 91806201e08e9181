/** Incarnations: the letters before the number of a run, so that no run id is ever given out twice. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { layout } from "../core/layout.ts";
import { MINUTE } from "../core/units.ts";
import { type Reached, reachedBy } from "../store/backup.ts";
import { lookInto } from "../store/database.ts";

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
 * The incarnation for a state that goes on in the home at `dir`: behind its own, behind that of the database in whose
 * place it comes, and behind those of databases that earlier restores moved aside: a backup that is restored twice must
 * not make the same one twice. Where the database in its place cannot tell, the letters go on with the time.
 */
export function furtherIncarnation(dir: string, since: Reached | null): (own: Reached) => string {
  const known = [...(since === null ? [] : [since]), ...movedAside(dir)].map(({ incarnation }) => incarnation);
  return ({ incarnation }) => {
    const newest = known.reduce((one, other) => (isLater(other, one) ? other : one), incarnation);
    return since === null
      ? nextIncarnation(newest) + letters(Math.floor(Date.now() / MINUTE))
      : nextIncarnation(newest);
  };
}

function movedAside(dir: string): Reached[] {
  const { database } = layout(dir);
  const names = readdirSync(dirname(database)).filter((name) =>
    /^\.before-restore-\d+$/.test(name.slice(basename(database).length)),
  );
  return names.flatMap((name) => {
    try {
      return [lookInto(join(dir, name), reachedBy)];
    } catch {
      return []; // it was moved aside because it cannot be read
    }
  });
}

/** A number in letters. */
function letters(number: number): string {
  const text = number >= 26 ? letters(Math.floor(number / 26)) : "";
  return text + String.fromCharCode(97 + (number % 26));
}
