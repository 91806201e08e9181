/** `hook test`: shows or runs one hook on what is there, or a gate hook on what was there before. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { GatepostError } from "../../core/errors.ts";
import type { ReceiptId } from "../../core/units.ts";
import type { Trying } from "../../home/try-gate.ts";
import { plain, print, printJson, printRaw, say } from "../output.ts";
import { addWhere, type Where, withHome } from "../where.ts";
import { requireCount } from "../words.ts";

type Options = Where & {
  dryRun?: boolean;
  baseRcvid?: string;
  newRcvid?: string;
  auxFile?: string;
  history?: string;
  limit?: string;
  json?: boolean;
};

export function registerHookTest(hook: Command): void {
  addWhere(hook.command("test").description("run a hook by hand on the last receipt, on what is staged, or on history"))
    .argument("<ID>", "id or name")
    .argument("[ARGUMENT...]", "after --: what a git:NAME hook gets")
    .option("-n, --dry-run", "only print the command and what it would read")
    .option("--base-rcvid <N>", "the receipt before the first to hand out (default: the one before the last)")
    .option("--new-rcvid <N>", "the last receipt to hand out (default: the newest)")
    .option("--aux-file <FILE>", "use this file for %A")
    .option("--history <RANGE>", "a gate: on each commit of a range, or on each push of a range of receipts")
    .option("--limit <N>", "of the history only the newest N")
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      `
A gate hook is tried with a git directory of its own in a temporary folder, so that index and refs stay as they are. A
before-commit hook sees your work tree, and what it writes there stays, as in a commit. With --history the work tree is a
temporary one as well.

Examples:
  gatepost hook test ci --dry-run
  gatepost hook test ci --base-rcvid 0        everything since the repository was registered; no window applies
  gatepost hook test lint                     a before-commit hook on what is staged now
  gatepost hook test ticket --aux-file FILE   a commit-msg hook on that message (default: HEAD's)
  gatepost hook test lint --history HEAD~200..          what it would have said to these commits
  gatepost hook test size --history 40..                and to the pushes after receipt 40

Exits 0 when the hook did, 1 when it failed. With --history, 0 when all was tried, 1 when it was interrupted.`,
    )
    .action(test);
}

async function test(word: string, args: readonly string[], given: Options): Promise<void> {
  const { refuseTogether } = await import("./hook-history.ts");
  refuseTogether(given);
  await withHome(given, async ({ home, repository }) => {
    const { findHook } = await import("../../home/hooks.ts");
    const { tryHook } = await import("../../home/try-hook.ts");
    const { openRepository } = await import("../../home/serve.ts");
    const { onlyRepositoryOf } = await import("../../home/repositories.ts");
    const hook = findHook(home, word);
    const row = repository ?? onlyRepositoryOf(home, hook);
    const stop = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop.abort());
    const at = given.home === undefined ? (given.repository ?? ".") : row.path;
    if (given.history !== undefined) {
      if (row.kind !== "git")
        throw new GatepostError("GP_USAGE", `--history reads Git's history; ${row.name} is a ${row.kind} repository.`, {
          hint: "A gate of Fossil is tried with a description: gatepost hook test ID --aux-file FILE",
        });
      const { history } = await import("./hook-history.ts");
      const limit = given.limit === undefined ? null : requireCount(given.limit, "--limit", 1);
      const about = { range: given.history, limit, at, signal: stop.signal };
      return history(home, row, hook, about, given.json === true);
    }
    const trying = await tryHook(home, row, openRepository(row), hook, {
      base: receipt(given.baseRcvid, "--base-rcvid"),
      upto: receipt(given.newRcvid, "--new-rcvid"),
      auxiliary: given.auxFile === undefined ? null : requireFile(given.auxFile),
      at,
      args,
      signal: stop.signal,
    });
    const isGate = (hook.wasType ?? hook.type) !== "after-receive";
    if (row.kind === "fossil" && isGate && given.auxFile === undefined)
      say(
        "Mind: fossil makes the description when it commits; here %A is empty, and no paths are known. --aux-file FILE",
      );
    if (trying.standIn) say("Nothing was received yet; showing the newest commit of HEAD as if it had just arrived.");
    if (given.dryRun) return show(trying, given.json === true);
    await run(trying, word, given.json === true);
  });
}

/** The file as an absolute path: the hook runs elsewhere. */
function requireFile(file: string): string {
  if (statSync(file, { throwIfNoEntry: false }) !== undefined) return resolve(file);
  throw new GatepostError("GP_NO_FILE", `There is no file ${file}.`, { hint: "Name the file that stands for %A." });
}

async function show(trying: Trying, asJson: boolean): Promise<void> {
  if (asJson) return printJson({ command: trying.readable, input: await text(trying.lines()) });
  print(plain(trying.readable));
  for await (const chunk of trying.lines()) printRaw(process.stdout.isTTY ? shownLines(chunk) : chunk);
}

async function run(trying: Trying, word: string, asJson: boolean): Promise<void> {
  const { end, output, tookMs, survivors, judged } = await trying.run();
  const passed = judged === undefined ? end.kind === "exit" && end.code === 0 : /pass|skipped/.test(judged.verdict);
  process.exitCode = passed ? 0 : 1;
  if (asJson) {
    const verdict = judged === undefined ? {} : { verdict: judged.verdict, why: judged.why };
    return printJson({ end, ...verdict, tookMs: Math.round(tookMs), survivors, output: output.head.toString("utf8") });
  }
  printRaw(output.head);
  if (output.tail.length > 0) printRaw(output.tail);
  if (judged?.verdict === "skipped") say(`gatepost: hook ${word} would not run: ${judged.why}.`);
  if (!passed) say(`gatepost: hook ${word}: ${judged === undefined ? inWords(end) : plain(judged.why)}`);
  if (survivors > 0) say(`gatepost: ${survivors} processes outlived the hook and were ended.`);
}

function receipt(text: string | undefined, option: string): ReceiptId | null {
  return text === undefined ? null : (requireCount(text, option) as ReceiptId);
}

async function text(chunks: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString("utf8");
}

const shownLines = (chunk: Buffer): string => chunk.toString("utf8").split("\n").map(plain).join("\n");

function inWords(end: { kind: string; code?: number | string; signal?: string; message?: string }): string {
  if (end.kind === "exit") return `exit ${end.code}`;
  if (end.kind === "signal") return `killed by ${end.signal}`;
  return `${end.kind}${end.message === undefined ? "" : ` (${end.message})`}`;
}
