/**
 * Shims of ours that somebody edited. What people wrote is theirs: such a file is never overwritten or deleted, but kept
 * beside its place as NAME.edited-N, a name that Git runs nothing of.
 *
 * It gets its second name before it loses the first, so that a death in between loses nothing; the next call then finds
 * it kept already. Proven by test/e2e/gate-install-edited.test.ts.
 */
import { linkSync, lstatSync } from "node:fs";

const kept = new Set<string>();

/** Keeps the file under a second name; the caller then puts another in its place, or removes it. */
export function keepEdited(file: string): void {
  const { ino } = lstatSync(file);
  for (let number = 1; ; number += 1) {
    const place = `${file}.edited-${number}`;
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there !== undefined && there.ino !== ino) continue;
    if (there === undefined) linkSync(file, place);
    kept.add(place);
    return;
  }
}

/** Where such files were kept since this was last asked: whoever ran the command is to be told. */
export function takeEdited(): string[] {
  const places = [...kept];
  kept.clear();
  return places;
}
