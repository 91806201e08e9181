/** How one run is shown, in words and as JSON. */
import { displayText } from "../../core/bytes.ts";
import { formatDuration } from "../../core/units.ts";
import { type RunDetail, type RunLine, rcvidOf } from "../../home/runs.ts";
import { paint, plain, plainLines, print, printJson } from "../output.ts";
import { counted } from "../words.ts";

/** A run in the JSON of `runs --json`; times are ISO 8601, lengths milliseconds. */
export const runToJson = ({ run, name, repository, what, took, gate, heldBy }: RunLine) => ({
  id: name,
  repository,
  hook: { id: run.hook, name: run.hookName, type: run.type },
  batch: run.batch,
  receipt: run.receipt,
  what,
  state: run.state,
  reason: run.reason,
  attempts: run.attempts,
  madeAt: new Date(run.madeAt),
  dueAt: run.dueAt === null ? null : new Date(run.dueAt),
  heldBy: heldBy?.name ?? null,
  endedAt: run.endedAt === null ? null : new Date(run.endedAt),
  took,
  gate: gate === null ? null : gateToJson(gate),
});

type Gate = NonNullable<RunLine["gate"]>;

const gateToJson = (gate: Gate) => ({
  type: gate.type,
  native: gate.native,
  verdict: gate.verdict,
  reason: shown(gate.reason),
  branch: shown(gate.branch),
  author:
    gate.authorName === null && gate.authorEmail === null
      ? null
      : { name: shown(gate.authorName), email: shown(gate.authorEmail), date: shown(gate.authorDate) },
  user: shown(gate.user),
  claimedUser: shown(gate.claimedUser),
  updates: gate.updates.map(({ ref, old, new: value }) => ({ ref: shown(ref), old, new: value })),
  at: new Date(gate.at),
  took: gate.took,
});

export function printDetail(detail: RunDetail, json: boolean): void {
  if (json) printJson(detailToJson(detail));
  else print(lines(detail).join("\n"));
}

const shown = (bytes: Parameters<typeof displayText>[0] | null): string | null =>
  bytes === null ? null : displayText(bytes);

const detailToJson = (detail: RunDetail) => ({
  ...runToJson(detail),
  receipts: detail.receipts.map((receipt) => ({
    rcvid: rcvidOf(receipt),
    at: new Date(receipt.at),
    source: receipt.source,
    user: shown(receipt.user),
    claimedUser: shown(receipt.claimedUser),
    address: shown(receipt.address),
    options: receipt.options.map(shown),
    updates: receipt.updates.map(({ ref, old, new: value, how }) => ({ ref: shown(ref), old, new: value, how })),
  })),
  leftOut: detail.batch?.leftOut ?? 0,
  attempts: detail.attempts.map(({ outputHead, outputTail, startedAt, endedAt, ...attempt }) => ({
    ...attempt,
    startedAt: new Date(startedAt),
    endedAt: endedAt === null ? null : new Date(endedAt),
    outputHead: outputHead?.toString("utf8") ?? "",
    outputTail: outputTail?.toString("utf8") ?? "",
  })),
});

function lines(detail: RunDetail): string[] {
  const { run, name, repository, batch, gate } = detail;
  const hook =
    run.hookName === null
      ? String(run.hook)
      : run.hook <= 0
        ? plain(run.hookName)
        : `${run.hook} (${plain(run.hookName)})`;
  if (run.gate !== null) {
    const head = `run ${name}: hook ${hook} ${plain(run.type)} on ${plain(repository)}`;
    return [
      head,
      ...(gate === null ? [] : gateLines(gate, detail.what)),
      ...detail.attempts.flatMap(attemptLines),
      ...endLines(detail),
    ];
  }
  if (run.event !== null)
    return [
      `run ${name}: hook ${hook} ${plain(run.type)} on ${plain(repository)}: ${plain(detail.what)}`,
      ...detail.attempts.flatMap(attemptLines),
      ...stateLines(detail),
    ];
  const left =
    batch !== null && batch.leftOut > 0 ? `; ${counted(batch.leftOut, "receipt")} older than the window left out` : "";
  const of =
    batch === null
      ? "a batch that was pruned"
      : `batch ${batch.id} (${counted(batch.receipts, "receipt")}, up to ${lastOf(detail) ?? batch.upto}${left})`;
  const out = [`run ${name}: hook ${hook} ${run.type} on ${plain(repository)}, ${of}`];
  for (const receipt of detail.receipts.slice(0, 20)) out.push(...receiptLines(receipt));
  if (detail.receipts.length > 20) out.push(`… and ${detail.receipts.length - 20} more receipts`);
  for (const attempt of detail.attempts) out.push(...attemptLines(attempt));
  out.push(...stateLines(detail));
  return out;
}

function gateLines(gate: Gate, what: string): string[] {
  const at = new Date(gate.at).toISOString().slice(0, 19).replace("T", " ");
  const why = gate.reason === null ? "" : `: ${displayText(gate.reason)}`;
  const claims = gate.claimedUser === null ? "" : ` (who says to be ${displayText(gate.claimedUser)})`;
  const verdict = { pass: "passed", refused: "refused", broken: "broken", interrupted: "interrupted" }[gate.verdict];
  const out = [
    `gate ${plain(gate.native)}: ${what}; ${verdict}${why} in ${formatDuration(gate.took)} at ${at} UTC`,
    `  called by ${displayText(gate.user)}${claims}`,
  ];
  if (gate.authorName !== null || gate.authorEmail !== null) {
    const [author, email] = [gate.authorName, gate.authorEmail].map((bytes) => shown(bytes) ?? "");
    const date = gate.authorDate === null ? "" : `, ${displayText(gate.authorDate)}`;
    out.push(`  author ${author}${email === "" ? "" : ` <${email}>`}${date}`);
  }
  for (const { ref, old, new: value } of gate.updates.slice(0, 10))
    out.push(`  ${displayText(ref)} ${old.slice(0, 12)}..${value.slice(0, 12)}`);
  if (gate.updates.length > 10) out.push(`  … and ${gate.updates.length - 10} more refs`);
  return out;
}

/** The last receipt by the repository's own number, where it has one. */
const lastOf = ({ receipts }: RunDetail): number | null =>
  receipts.reduce<number | null>((last, { native }) => (native === null ? last : Math.max(last ?? 0, native)), null);

function receiptLines(receipt: RunDetail["receipts"][number]): string[] {
  const verbs = { push: "pushed", work: "made", reconciled: "found by looking at the refs" };
  const verb = receipt.native !== null && receipt.source === "push" ? "received" : verbs[receipt.source];
  const by = receipt.user === null ? "" : ` by ${displayText(receipt.user)}`;
  const claims = receipt.claimedUser === null ? "" : ` (who says to be ${displayText(receipt.claimedUser)})`;
  const from = receipt.address === null ? "" : ` from ${displayText(receipt.address)}`;
  const at = new Date(receipt.at).toISOString().slice(0, 19).replace("T", " ");
  const options = receipt.options.length === 0 ? "" : `, options ${receipt.options.map(displayText).join(" ")}`;
  const moves = receipt.updates.slice(0, 10).map(({ ref, old, new: value, how }) => {
    const note = how === "claimed" ? " (moved nothing)" : "";
    return `  ${displayText(ref)} ${old.slice(0, 12)}..${value.slice(0, 12)}${note}`;
  });
  if (receipt.updates.length > 10) moves.push(`  … and ${receipt.updates.length - 10} more refs`);
  return [`receipt ${rcvidOf(receipt)}: ${verb}${by}${claims}${from} at ${at} UTC${options}`, ...moves];
}

function attemptLines(attempt: RunDetail["attempts"][number]): string[] {
  const at = new Date(attempt.startedAt).toISOString().slice(11, 19);
  const took = attempt.took === null ? "" : `  ${formatDuration(attempt.took)}`;
  const end =
    attempt.outcome === null
      ? "running"
      : attempt.outcome === "exit"
        ? `exit ${attempt.exitCode}`
        : `${attempt.outcome}${attempt.detail === null ? "" : ` ${plain(attempt.detail)}`}`;
  const out = [`attempt ${attempt.number}  ${at}${took}  ${end}`];
  if (attempt.survivors > 0) out.push(`  ${attempt.survivors} processes outlived it and were ended`);
  if (attempt.detached === 1) out.push("  a process that left it on purpose lives on; what that prints is not kept");
  out.push(...outputLines(attempt.outputHead));
  const tail = attempt.outputTail;
  if (tail !== null) {
    const between = attempt.outputBytes - (attempt.outputHead?.length ?? 0) - tail.length;
    if (between > 0) out.push(paint("dim", `  … ${between} bytes not kept …`));
    out.push(...outputLines(tail));
  }
  return out;
}

function outputLines(output: Buffer | null): string[] {
  if (output === null || output.length === 0) return [];
  return plainLines(output.toString("utf8").replace(/\n$/, ""))
    .split("\n")
    .map((line) => `  ${line}`);
}

/** How a run of a gate ended, which nobody can run again. */
function endLines({ run }: RunDetail): string[] {
  return run.state === "done" ? [] : [`${run.state}: ${plain(run.reason ?? "")}`];
}

/** What a run waits for whose hook asked for --in-order: "waits for a-12, which is parked". */
export function held({ name, state }: NonNullable<RunLine["heldBy"]>): string {
  return `waits for ${name}, which ${state === "parked" ? "is parked" : state === "running" ? "runs" : "waits too"}`;
}

function stateLines({ run, name, heldBy }: RunDetail): string[] {
  const again = `Again now: gatepost runs replay ${name}`;
  if (run.state === "waiting" && heldBy !== null)
    return [held(heldBy), `About that: gatepost runs show ${heldBy.name}     Stop trying: gatepost runs drop ${name}`];
  if (run.state === "waiting") {
    const when = run.dueAt === null ? "" : ` at ${new Date(run.dueAt).toISOString().slice(11, 19)}`;
    return [`attempt ${run.attempts + 1} is due${when}`, `${again}     Stop trying: gatepost runs drop ${name}`];
  }
  if (run.state === "parked")
    return [
      `parked: ${plain(run.reason ?? "")}`,
      `Again, with all its retries: gatepost runs release ${name}     Give up: gatepost runs drop ${name}`,
    ];
  if (run.state === "failed") return [`failed: ${plain(run.reason ?? "")}`, again];
  return run.state === "skipped" ? [`skipped: ${plain(run.reason ?? "")}`] : [];
}
