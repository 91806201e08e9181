/** What `gatepost why` says, with what differs from one time to the next made equal. */
import { afterAll, expect } from "vitest";
import { makeWorld, type Outcome, type World } from "./cli.ts";
import { enter, leave, type Watched } from "./served.ts";

/** A world of its own, which this process lives in too; gone when the tests of the file are done. */
export function whyWorld(): World {
  const world = makeWorld();
  enter(world);
  afterAll(() => leave(world));
  return world;
}

export const short = (hash: string): string => hash.slice(0, 12);

/** The built program's answer about a repository. */
export const ask = (r: Watched, ...words: string[]): Outcome => r.world.gatepost(["why", ...words, "-R", r.path]);

/** Its lines: times are "AT", the repository's path "PATH", blanks that only align are one. Fails where the call did not
 *  end with that code. */
export function answer(r: Watched, code: number, ...words: string[]): string[] {
  const said = ask(r, ...words);
  expect({ code: said.code, stderr: said.stderr }, said.stdout).toEqual({ code, stderr: "" });
  return linesOf(said, r);
}

export const linesOf = ({ stdout }: Outcome, r: Watched): string[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC/g, "AT")
        .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "THEN")
        .replaceAll(` -R ${r.path}`, "")
        .replaceAll(r.path, "PATH")
        .replaceAll(/(?<=\S) {2,}/g, " "),
    );
