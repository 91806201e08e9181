/**
 * What an earlier holder left behind. An attempt that is open under an older token has no keeper any more: what is left
 * of its process is ended and awaited, the attempt is closed as lost, and its run waits again under the same id.
 */
import type { Instant } from "../core/units.ts";
import { endGroup } from "../process/group.ts";
import { bootId } from "../process/identity.ts";
import { writeAsHolder } from "../store/lease.ts";
import { finishAttempt, lostAttempts, settleRun } from "../store/run.ts";
import { type HomeContext, now } from "./context.ts";

export async function recoverLost(ctx: HomeContext, token: number): Promise<void> {
  for (const { run, number, pid, startTime, ...attempt } of lostAttempts(ctx.db, token)) {
    if (pid !== null && startTime !== null && attempt.bootId === bootId()) await endGroup({ pid, startTime });
    const reason = "lost with its backoffice";
    writeAsHolder(ctx.db, token, () => {
      const ended = {
        outcome: "lost",
        exitCode: null,
        detail: null,
        took: null,
        survivors: 0,
        detached: false,
      } as const;
      finishAttempt(ctx.db, run, number, { ...ended, outputHead: null, outputTail: null, outputBytes: 0 }, now());
      settleRun(ctx.db, run, { state: "waiting", reason, dueAt: now() as Instant }, now());
    });
    ctx.log("info", `run ${ctx.incarnation}-${run}: attempt ${number} was lost with its backoffice; it runs again`);
  }
}
