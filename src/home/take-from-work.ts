/** Taking a home from work, before its database is exchanged for another one. */
import { randomUUID } from "node:crypto";
import { Bell } from "../backoffice/bell.ts";
import { provenDead } from "../backoffice/keeper.ts";
import { recoverLost } from "../backoffice/lost.ts";
import { GatepostError } from "../core/errors.ts";
import type { Instant, Millis } from "../core/units.ts";
import { bootId, isGone, processIdentity, sinceBoot } from "../process/identity.ts";
import { type LeaseRow, takeLease } from "../store/lease.ts";
import { closeHome, openHome } from "./open.ts";
import { contextOf } from "./serve.ts";

/** How long nobody else may begin to work on the database that goes. */
const HANDED_OVER = 120_000 as Millis;

/** Takes the lease of the database that goes, once nobody works on it, and ends what a killed backoffice left running of it: the database that
 *  comes knows nothing of that. The lease is not given back, since nothing may begin there any more; of a call that fails
 *  afterwards it is free as soon as this process has ended. Throws GP_BUSY while a backoffice works there. */
export async function takeFromWork(dir: string, lease: LeaseRow | null): Promise<void> {
  if (lease !== null) requireIdle(dir, lease);
  const home = openHome(dir);
  try {
    const self = processIdentity(process.pid) ?? { pid: process.pid, startTime: "" };
    const holder = { holder: randomUUID(), bootId: bootId(), ...self };
    const now = { wall: Date.now() as Instant, sinceBoot: sinceBoot() };
    const taken = takeLease(home.db, holder, now, HANDED_OVER, provenDead);
    if ("heldBy" in taken)
      throw new GatepostError("GP_BUSY", `A backoffice began to work on ${dir}. Nothing was changed.`, {
        hint: "Stop it, or wait until it is done, and try again.",
      });
    const quiet = { functions: new Map(), bell: new Bell(), log: () => {}, progress: () => {} };
    await recoverLost(contextOf(home, quiet), taken.token);
  } finally {
    closeHome(home);
  }
}

/** While hooks run, their runs are not to be taken from under them. Of a holder elsewhere (another boot, another
 *  container) only the lease tells, by the wall clock. */
function requireIdle(dir: string, { holder, bootId: boot, pid, startTime, expiresAt }: LeaseRow): void {
  if (!holder || !pid || !startTime) return;
  const isElsewhere = boot !== bootId();
  if (isElsewhere ? (expiresAt ?? 0) <= Date.now() : isGone({ pid, startTime })) return;
  const where = isElsewhere ? ", in another container or before a restart" : "";
  throw new GatepostError("GP_BUSY", `A backoffice (pid ${pid}${where}) works on ${dir}. Nothing was changed.`, {
    hint: isElsewhere
      ? `If it is gone, its lease ends ${new Date(expiresAt ?? 0).toISOString()}: try again then.`
      : "Stop it, or wait until it is done, and try again.",
  });
}
