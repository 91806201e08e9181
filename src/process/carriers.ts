/** Who runs with a variable in its environment: how what a hook started is known again, wherever it went. */
import { readdirSync, readFileSync } from "node:fs";
import { isRunning, processStatus } from "./identity.ts";

export type Carrier = { pid: number; session: number; value: string };

/** The running processes that have the variable with a value that begins so, as far as this user may look. Reads all of
 *  /proc. */
export function carriersOf(variable: string, start: string): Carrier[] {
  const wanted = `\0${variable}=${Buffer.from(start).toString("latin1")}`;
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    let environment: string;
    try {
      environment = `\0${readFileSync(`/proc/${name}/environ`, "latin1")}`;
    } catch {
      return []; // ended meanwhile, or another user's
    }
    const at = environment.indexOf(wanted);
    if (at < 0) return [];
    const status = processStatus(Number(name));
    if (status === null || !isRunning(status)) return [];
    const value = environment.slice(at + variable.length + 2).split("\0", 1)[0] ?? "";
    return [{ pid: status.pid, session: status.session, value: Buffer.from(value, "latin1").toString() }];
  });
}
