/** Root's calls about what belongs to another user: run as that user, or refused with the call that would work. */
import { resolve } from "node:path";
import { typed } from "../core/shell-word.ts";
import { startAs } from "../process/as-user.ts";
import { findUsers } from "../process/users.ts";
import { anothers, programFile } from "./open.ts";
import { ownerOf } from "./supervise.ts";

/** What a person who reads wants to be passed on. */
const DISPLAY = ["TERM", "NO_COLOR", "COLUMNS"];

/** Judges by the owner of the first of the paths that is not root's. Null: all are, or nothing is there. With `reads` the
 *  call is made as that user, and its exit code returned; else throws GP_NOT_OWNER. */
export async function asOwner(
  paths: readonly string[],
  reads: boolean,
  words: readonly string[],
): Promise<number | null> {
  for (const path of paths) {
    const owner = ownerOf(resolve(path)) ?? 0;
    if (owner === 0) continue;
    const [user] = reads ? await findUsers(owner) : [];
    if (user === undefined) throw anothers(path, owner, words.map(typed).join(" "));
    const env = Object.fromEntries(DISPLAY.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
    const { ended, send } = startAs(user, [programFile(), ...words], { cwd: process.cwd(), env });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => send(signal));
    return (await ended).code ?? 1;
  }
  return null;
}
