/** Tests of wrong calls, a table each: the call, its exit code, and all that it says. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { fails, type World } from "./cli.ts";

/** Every file below a folder with its mode and content. The database's own bookkeeping files say nothing. */
export function picture(folder: string): Record<string, string> {
  const files = (fs.readdirSync(folder, { recursive: true }) as string[]).filter(
    (name) => !/\.db-(wal|shm)$/.test(name),
  );
  return Object.fromEntries(
    files.sort().map((name) => {
      const path = join(folder, name);
      const { mode } = fs.lstatSync(path);
      const content = fs.statSync(path).isFile() ? createHash("sha1").update(fs.readFileSync(path)).digest("hex") : "";
      return [name, `${mode.toString(8)} ${content}`];
    }),
  );
}

export type WrongCall = [call: string, code: number, stderr: string, input?: string];
/** The words of a call as a shell would read them, without what stands behind `#`. */
const words = (call: string): string[] =>
  [...call.replace(/ #.*/, "").matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");

/** One test for each row; the calls run in the folder `cwd`, side by side. */
export function wrongCalls(world: World, title: string, cwd: string, table: readonly WrongCall[]): void {
  describe.concurrent(title, () => {
    it.for(table)("%s", async ([call, code, stderr, input], { expect }) => {
      const outcome = await world.call(words(call), { cwd, ...(input === undefined ? {} : { input }) });
      expect(outcome).toEqual(fails(code, stderr));
    });
  });
}
