/**
 * `hook test`: runs one hook by hand on receipts that were there already, outside of any batch. Nothing is written to
 * the database, no cursor moves; what the hook itself does, it does.
 *
 * The interval is (base, new]; by default the last receipt. No window applies, so what a batch left out can be handed
 * out this way. Before the first receipt there is nothing to show, so the newest commit of HEAD's branch is shown as if
 * it had just arrived.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { receiptOfArrival } from "../backoffice/arrivals.ts";
import { writeAuxiliary } from "../backoffice/auxiliary.ts";
import { detailsFor } from "../backoffice/details.ts";
import { folderOf, hookInput, hookVariables, type ListingNote, programFor } from "../backoffice/hook-input.ts";
import { type Material, materialBetween } from "../backoffice/material.ts";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import { isEventType } from "../core/hook-type.ts";
import { settingMillis } from "../core/settings.ts";
import { readable, substitute } from "../core/substitute.ts";
import type { BatchId, Instant, ReceiptId } from "../core/units.ts";
import { runAttempt } from "../process/hook-process.ts";
import { oneTrialDeeper } from "../process/trial-depth.ts";
import type { Batch } from "../store/batch.ts";
import { newestReceipt, receiptById } from "../store/receipt.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { FossilRepository, GitRepository, Repository } from "../vcs/repository.ts";
import { homeSettings, type OpenHome, requireOwner } from "./open.ts";
import type { Trying, TryOptions } from "./try-gate.ts";

/** Prepares a hook to be shown or run on receipts of a repository. */
export async function tryHook(
  home: OpenHome,
  row: RepositoryRow,
  repository: Repository,
  hook: Hook,
  options: TryOptions,
): Promise<Trying> {
  const { command } = hook;
  if (command === null)
    throw new GatepostError("GP_USAGE", `Hook ${hook.id} is a function of an embedding program; only that can run it.`);
  const type = hook.type === "disabled" ? hook.wasType : hook.type;
  if (type !== null && isEventType(type))
    throw new GatepostError(
      "GP_TYPE",
      `Hook ${hook.name ?? hook.id} is told of events, and there is none to try it on.`,
      {
        hint: "Once it has run, any of its runs can be had again: gatepost runs replay RUN",
      },
    );
  const isGate = type !== "after-receive" && type !== null;
  const received = async (): Promise<Material> => {
    if (repository.kind === "fossil") return isGate ? nothing(row) : fossilMaterial(repository, row, options);
    return interval(home, row, options) ?? (await standIn(repository));
  };
  if ((repository.kind === "git" && isGate) || options.args.length > 0) {
    const { tooMany, tryGate } = await import("./try-gate.ts"); // it needs much that a list does not
    if (repository.kind !== "git" || !isGate) throw tooMany(options.args);
    return tryGate(home, row, repository, hook, options, received);
  }
  const material = await received();
  // A gate of Fossil is tried as fossil does it: with the file that was named, or with none.
  const auxiliary = options.auxiliary ?? (isGate ? "" : join(home.layout.auxiliary, "test.json"));
  const values = { program: programFor(home.layout, row), repository: row.path, auxiliary };
  const note: ListingNote = { gone: null };
  const lines = () => hookInput(repository, hook, material, note, options.signal);
  return {
    readable: readable(command, values),
    standIn: repository.kind === "git" && material.receipts.length === 0,
    lines,
    async run() {
      requireOwner(home.dir); // its files are made in the home, and the hook runs as its owner
      const substituted = substitute(command);
      if (!substituted.ok) throw new GatepostError("GP_SUBSTITUTE", substituted.reason);
      const own = join(home.layout.auxiliary, `test-${process.pid}.json`);
      const file = options.auxiliary ?? (isGate ? "" : own);
      const settings = homeSettings(home);
      const deeper = oneTrialDeeper(process.env);
      try {
        if (file === own) {
          const details = await detailsFor(repository, command, material.range);
          writeAuxiliary(own, { run: "test", attempt: 1, hook, row }, material, details);
        }
        return await runAttempt({
          command: substituted.command,
          cwd: folderOf(row),
          env: {
            ...hookVariables(home.layout, hook, row, material, { id: "test", attempt: 1, auxiliary: file }),
            ...deeper,
          },
          stdin: lines(),
          timeout: hook.timeout ?? settingMillis(settings, "timeout"),
          grace: settingMillis(settings, "grace"),
          drain: settingMillis(settings, "drain"),
          keep: 1024 * 1024,
          signal: options.signal,
        });
      } finally {
        rmSync(own, { force: true });
      }
    },
  };
}

function interval(home: OpenHome, row: RepositoryRow, { base, upto }: TryOptions): Material | null {
  const newest = newestReceipt(home.db, row.id)?.id ?? null;
  if (newest === null && base === null && upto === null) return null;
  for (const id of [base, upto]) {
    if (id === null || id === 0) continue;
    if (receiptById(home.db, id)?.repository !== row.id)
      throw new GatepostError("GP_USAGE", `Receipt ${id} is none of ${row.name}.`, {
        hint: newest === null ? "It has no receipts yet." : `Its newest receipt is ${newest}; 0 is before the first.`,
      });
  }
  const end = upto ?? newest ?? (0 as ReceiptId);
  const start = base ?? ((end - 1) as ReceiptId);
  if (start >= end && !(start === end && end === 0)) throw nothingBetween(start, end);
  return materialBetween(home.db, row, pseudoBatch(row, start, end), null, true);
}

const nothing = (row: RepositoryRow): Material => ({
  batch: pseudoBatch(row, 0 as ReceiptId, 0 as ReceiptId),
  receipts: [],
  leftOut: [],
  range: { spans: [] },
});

/** Receipts by Fossil's own numbers, also those from before it was registered. */
async function fossilMaterial(repository: FossilRepository, row: RepositoryRow, { base, upto }: TryOptions) {
  const { newest, receipts } = await repository.receipts(base, upto);
  const end = upto ?? newest;
  const start = base ?? Math.max(0, end - 1);
  if (end > newest || start > newest)
    throw new GatepostError("GP_USAGE", `${row.name} has no receipt ${Math.max(start, end)}.`, {
      hint: newest === 0 ? "It has no receipts yet." : `Its newest receipt is ${newest}; 0 is before the first.`,
    });
  if (start >= end && end > 0) throw nothingBetween(start, end);
  return {
    batch: pseudoBatch(row, start as ReceiptId, end as ReceiptId),
    receipts: receipts.map((one) => ({
      ...receiptOfArrival(one, one.at),
      id: one.rcvid as ReceiptId,
      updates: [],
      leftOut: false,
    })),
    leftOut: [],
    range: { spans: [{ after: start, upto: end, rows: null }] },
  };
}

const nothingBetween = (start: number, end: number): GatepostError =>
  new GatepostError("GP_USAGE", `There is nothing after receipt ${start} up to ${end}.`, {
    hint: "--base-rcvid is the receipt before the first to hand out; --new-rcvid the last.",
  });

const pseudoBatch = (row: Pick<RepositoryRow, "id">, base: ReceiptId, upto: ReceiptId): Batch => ({
  id: 0 as BatchId,
  repository: row.id,
  base,
  upto,
  cutAt: Date.now() as Instant,
  receipts: 0,
  leftOut: 0,
});

/** The newest commit of HEAD's branch as if it had just been pushed; nothing in an empty repository. */
async function standIn(repository: GitRepository): Promise<Material> {
  const row = { id: 0 as RepositoryRow["id"] };
  return {
    batch: pseudoBatch(row, 0 as ReceiptId, 0 as ReceiptId),
    receipts: [],
    leftOut: [],
    range: (await repository.headRange()) ?? { moves: [], base: [] },
  };
}
