/**
 * What an earlier holder left behind. An attempt that is open under an older token has no keeper any more: what is left
 * of its process is ended and awaited, the attempt is closed as lost, and its run waits again under the same id. It is
 * parked instead where something of it cannot be ended, or attempts would overlap; and where that has happened too often,
 * or a hook that kills its backoffice would do so for ever. Proven by
 * test/torture/kill.test.ts and test/fault/unstarted.test.ts.
 */
import { VARIABLES } from "../core/substitute.ts";
import type { Instant, RunId } from "../core/units.ts";
import { endCarriers } from "../process/carriers.ts";
import { endGroup } from "../process/group.ts";
import { bootId } from "../process/identity.ts";
import { awaitUnstarted } from "../process/unstarted.ts";
import { writeAsHolder } from "../store/lease.ts";
import { repositoryById } from "../store/repository.ts";
import { finishAttempt, lostAttempts, type RunEnd, runById, settleRun, timesLost } from "../store/run.ts";
import { auxiliaryPath, readRunner } from "./auxiliary.ts";
import { type HomeContext, now } from "./context.ts";
import { raiseParked } from "./events.ts";
import { runName } from "./trial.ts";

/** A run that was lost this often is most likely what kills its backoffice, and waits for a person. */
const MOST_LOST = 10;

/** How long a hook may take from its fork to its first instruction; it is a copy of its backoffice until then. */
const UNSTARTED = 5000;

/** Closes every attempt that an older token left open, each after the end of its processes. To be called by the holder of
 *  `token` before it starts anything; calling it again, by whoever comes next, goes on where this one died. */
export async function recoverLost(ctx: HomeContext, token: number): Promise<void> {
  const lost = lostAttempts(ctx.db, token);
  if (lost.length > 0) await awaitUnstarted(UNSTARTED);
  for (const { run, number, pid, startTime, ...attempt } of lost) {
    const noted = pid === null || startTime === null ? null : { pid, startTime, bootId: attempt.bootId };
    const runner = noted ?? readRunner(auxiliaryOf(ctx, run));
    const group = runner?.bootId === bootId() ? (await endGroup(runner)).left : 0; // a pid counts only within its boot
    // What nobody had the time to note, and what left its session.
    const left = group + (await endCarriers(variablesOf(ctx, run))).left;
    const ended = writeAsHolder(ctx.db, token, () => {
      const closed = {
        outcome: "lost",
        exitCode: null,
        detail: null,
        took: null,
        survivors: 0,
        detached: false,
      } as const;
      finishAttempt(ctx.db, run, number, { ...closed, outputHead: null, outputTail: null, outputBytes: 0 }, now());
      const times = timesLost(ctx.db, run);
      const parked =
        left > 0
          ? `lost with its backoffice, and ${left} of its processes cannot be ended`
          : times < MOST_LOST
            ? null
            : `its backoffice died ${times} times while it ran`;
      const end: RunEnd =
        parked === null
          ? { state: "waiting", reason: "lost with its backoffice", dueAt: now() as Instant }
          : { state: "parked", reason: parked };
      settleRun(ctx.db, run, end, now());
      const whole = runById(ctx.db, run);
      const row = whole === null ? null : repositoryById(ctx.db, whole.repository);
      if (whole !== null && whole.gate === null && row !== null) raiseParked(ctx, row, whole, number, end, now());
      return end;
    });
    const name = nameOf(ctx, run);
    if (ended.state === "parked") ctx.log("error", `run ${name} is parked: ${ended.reason}`);
    else ctx.log("info", `run ${name}: attempt ${number} was lost with its backoffice; it runs again`);
  }
}

const nameOf = (ctx: HomeContext, id: RunId): string =>
  runName({ incarnation: runById(ctx.db, id)?.incarnation ?? ctx.incarnation, id });

const auxiliaryOf = (ctx: HomeContext, id: RunId): string => auxiliaryPath(ctx.layout.auxiliary, nameOf(ctx, id));

/** What only this run's hook has in its environment: run ids are unique in their home, and the file is in this one. */
const variablesOf = (ctx: HomeContext, id: RunId): Record<string, string> => ({
  GATEPOST_RUN: nameOf(ctx, id),
  [VARIABLES.A]: auxiliaryOf(ctx, id),
});
