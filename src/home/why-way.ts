/** The way of what was received: its receipt, its batch or what keeps it from being cut, and its hooks. */
import { watcherOf } from "../backoffice/presence.ts";
import { type ByteString, displayText } from "../core/bytes.ts";
import type { BatchId, ReceiptId } from "../core/units.ts";
import { formatDuration } from "../core/units.ts";
import { readAudit } from "../store/hook.ts";
import { type Receipt, rcvidOf, receiptById } from "../store/receipt.ts";
import type { Run } from "../store/run.ts";
import { type BatchRow, batchOf, registeredAt, runsOfReceipt } from "../store/why.ts";
import { embargoOf } from "./embargo.ts";
import { startFailure } from "./runs.ts";
import { hookSteps, nobodyGets, resumeRepository } from "./why-hooks.ts";
import { type Asking, call, clock, mend, pauseIn, type Step, step } from "./why-step.ts";

/** What came with one receipt: the refs it came to (none where the repository has none), and whether they were deleted. */
export type Came = { receipt: ReceiptId; refs: ByteString[]; deleted: boolean };

/** More receipts than that are only counted. */
const SHOWN = 5;

/** The steps from these receipts on, oldest first; `subject` came with them. */
export function waySteps(asking: Asking, subject: string, came: readonly Came[]): Step[] {
  const steps: Step[] = [];
  const groups = new Map<BatchId | null, Came[]>();
  for (const one of came.slice(0, SHOWN)) {
    const batch = batchOf(asking.home.db, asking.row.id, one.receipt)?.id ?? null;
    groups.set(batch, [...(groups.get(batch) ?? []), one]);
  }
  for (const group of groups.values()) {
    const receipts = group.flatMap((one) => {
      const receipt = receiptById(asking.home.db, one.receipt);
      return receipt === null ? [] : [{ ...one, receipt }];
    });
    for (const one of receipts) steps.push(receiptStep(asking, steps.length === 0 ? subject : "It", one));
    const first = receipts[0];
    if (first !== undefined) steps.push(...batchSteps(asking, first.receipt));
  }
  if (came.length > SHOWN)
    steps.push(step("receipt", "ok", `It came to further refs with ${came.length - SHOWN} later receipts`));
  return steps;
}

function receiptStep({ row, now }: Asking, subject: string, came: Omit<Came, "receipt"> & { receipt: Receipt }): Step {
  const { receipt, refs, deleted } = came;
  const shown = refs.slice(0, 3).map(displayText).join(", ");
  const where = refs.length === 0 ? row.name : `${shown}${refs.length > 3 ? ", …" : ""} of ${row.name}`;
  const how = deleted ? `${subject} was deleted in ${row.name}` : `${subject} reached ${where}`;
  const user = receipt.user === null ? "" : ` by ${displayText(receipt.user)}`;
  const claims = receipt.claimedUser === null ? "" : ` (who says to be ${displayText(receipt.claimedUser)})`;
  const verb =
    receipt.source === "push"
      ? `pushed${user}`
      : receipt.source === "work"
        ? `made${user}`
        : "found by looking at the refs";
  const reconciled = receipt.source === "reconciled" ? ", since no shim told of it" : "";
  const number = `receipt ${rcvidOf(receipt)}`;
  return step("receipt", "ok", `${how} at ${clock(receipt.at, now)}, ${verb}${claims}${reconciled} (${number})`);
}

/** In which batch a receipt is, and what its hooks made of it; or why it is in none. */
export function batchSteps(asking: Asking, receipt: Receipt): Step[] {
  const { home, row, now } = asking;
  if (receipt.id > row.cursor) return uncut(asking);
  const batch = batchOf(home.db, row.id, receipt.id);
  if (batch === null) return [passedOver(asking, receipt)];
  const runs = runsOfReceipt(home.db, batch.id, receipt.id);
  if (!receipt.leftOut) {
    const cut = step("batch", "ok", `It is in batch ${batch.id}, cut at ${clock(batch.cutAt, now)}`, {
      batch: batch.id,
    });
    return [cut, ...hookSteps(asking, runs, batch.cutAt)];
  }
  const own = runs.filter((run) => run.receipt === receipt.id);
  const left = leftOutStep(asking, receipt, batch, own);
  return own.length === 0 ? [left] : [left, ...hookSteps(asking, own, null)];
}

function leftOutStep(asking: Asking, receipt: Receipt, batch: BatchRow, own: readonly Run[]): Step {
  const newest = receiptById(asking.home.db, batch.upto)?.at ?? batch.cutAt;
  const age = formatDuration(newest - receipt.at);
  const says = `It was left out of batch ${batch.id}, cut at ${clock(batch.cutAt, asking.now)}: it was ${age} older than the newest there, beyond the window`;
  if (own.length > 0) return step("batch", "ok", `${says}, and was handed out since`, { batch: batch.id });
  const since = `--since ${new Date(receipt.at - 1000).toISOString().slice(0, 19)}Z`;
  return step("batch", "stopped", says, {
    batch: batch.id,
    mend: mend("Hand it out", call(asking, `runs replay --left-out ${since}`)),
  });
}

/** What keeps a receipt behind the cursor from being cut. */
function uncut(asking: Asking): Step[] {
  const { home, row, now } = asking;
  const paused = pauseIn(row.paused, now);
  if (paused !== null)
    return [step("batch", "stopped", `It waits: ${row.name} is ${paused}`, { mend: resumeRepository(asking) })];
  const nobody = nobodyGets(asking);
  if (nobody.length > 0) return nobody;
  const until = embargoOf(home, row, now);
  if (until !== null) {
    const says = `It waits until ${clock(until, now)} at the latest, since its sender said that more is coming (embargo)`;
    return [step("batch", "waits", says)];
  }
  return [waitsForBackoffice(asking, "It waits for the backoffice")];
}

/** That what waits is taken up by the next pass, and how to make one. */
export function waitsForBackoffice(asking: Asking, says: string): Step {
  const watcher = watcherOf(asking.home.layout);
  if (watcher !== null) return step("batch", "waits", `${says}, which is at work (process ${watcher.pid})`);
  const failed = startFailure(asking.home);
  const why = failed === null ? "; none is running" : `; the last one that a push started could not work: ${failed}`;
  return step("batch", "stopped", says + why, { mend: mend("Start one", call(asking, "backoffice")) });
}

/** Of a receipt before the cursor that is in no batch. */
function passedOver({ home, now }: Asking, receipt: Receipt): Step {
  const first = readAudit(home.db).find(
    (change) => change.at >= receipt.at && /"type":"after-receive"/.test(change.new ?? ""),
  );
  if (first === undefined)
    return step("batch", "ok", "It was handed out, and its batch was deleted since, by retention");
  const says = `It came before the repository had an after-receive hook; the first was added at ${clock(first.at, now)} and starts with what came after that`;
  return step("batch", "stopped", says);
}

/** Of what was there before anything was received. */
export function oldStep(asking: Asking, subject: string): Step {
  const at = clock(registeredAt(asking.home.db, asking.row.id), asking.now);
  const says = `${subject} was there when ${asking.row.name} was registered, at ${at}, or its receipt was deleted by retention: hooks get what arrives afterwards`;
  return step("receipt", "stopped", says, {
    mend: mend("To try a hook", call(asking, `hook test ${asking.hook?.name ?? asking.hook?.id ?? "HOOK"}`)),
  });
}
