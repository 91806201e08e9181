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
import { writeAuxiliary } from "../backoffice/auxiliary.ts";
import { hookInput, hookVariables, type ListingNote } from "../backoffice/hook-input.ts";
import { type Material, materialBetween } from "../backoffice/material.ts";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import { settingMillis } from "../core/settings.ts";
import { readable, substitute } from "../core/substitute.ts";
import type { BatchId, Instant, ReceiptId } from "../core/units.ts";
import { runAttempt } from "../process/hook-process.ts";
import type { Batch } from "../store/batch.ts";
import { newestReceipt, receiptById } from "../store/receipt.ts";
import type { RepositoryRow } from "../store/repository.ts";
import type { Repository } from "../vcs/repository.ts";
import { homeSettings, type OpenHome, requireOwner } from "./open.ts";
import { type Trying, type TryOptions, tooMany, tryGate } from "./try-gate.ts";

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
  const received = async (): Promise<Material> => interval(home, row, options) ?? (await standIn(repository));
  if (type !== "after-receive" && type !== null) return tryGate(home, row, repository, hook, options, received);
  if (options.args.length > 0) throw tooMany(options.args);
  const material = await received();
  const auxiliary = options.auxiliary ?? join(home.layout.auxiliary, "test.json");
  const values = { program: home.layout.program, repository: row.path, auxiliary };
  const note: ListingNote = { gone: null };
  const lines = () => hookInput(repository, hook, material, note, options.signal);
  return {
    readable: readable(command, values),
    standIn: material.receipts.length === 0,
    lines,
    async run() {
      requireOwner(home.dir); // its files are made in the home, and the hook runs as its owner
      const substituted = substitute(command);
      if (!substituted.ok) throw new GatepostError("GP_SUBSTITUTE", substituted.reason);
      const own = join(home.layout.auxiliary, `test-${process.pid}.json`);
      const file = options.auxiliary ?? own;
      const settings = homeSettings(home);
      try {
        if (options.auxiliary === null) writeAuxiliary(own, { run: "test", attempt: 1, hook, row }, material);
        return await runAttempt({
          command: substituted.command,
          cwd: row.path,
          env: hookVariables(home.layout, hook, row, material, { id: "test", attempt: 1, auxiliary: file }),
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
  if (start >= end && !(start === end && end === 0))
    throw new GatepostError("GP_USAGE", `There is nothing after receipt ${start} up to ${end}.`, {
      hint: "--base-rcvid is the receipt before the first to hand out; --new-rcvid the last.",
    });
  return materialBetween(home.db, row, pseudoBatch(row, start, end), null, true);
}

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
async function standIn(repository: Repository): Promise<Material> {
  const row = { id: 0 as RepositoryRow["id"] };
  return {
    batch: pseudoBatch(row, 0 as ReceiptId, 0 as ReceiptId),
    receipts: [],
    leftOut: [],
    range: (await repository.headRange()) ?? { moves: [], base: [] },
  };
}
