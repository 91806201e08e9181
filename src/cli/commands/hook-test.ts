/** `hook test`: shows or runs one hook on receipts that are there. */
import type { Command } from "commander";
import type { ReceiptId } from "../../core/units.ts";
import { plain, print, printJson, printRaw, say } from "../output.ts";
import { addWhere, type Where, withHome } from "../where.ts";
import { requireCount } from "../words.ts";

type Options = Where & { dryRun?: boolean; baseRcvid?: string; newRcvid?: string; auxFile?: string; json?: boolean };

export function registerHookTest(hook: Command): void {
  addWhere(hook.command("test").description("run a hook by hand on the last receipt, or on an interval of receipts"))
    .argument("<ID>", "id or name")
    .option("-n, --dry-run", "only print the command and what it would read")
    .option("--base-rcvid <N>", "the receipt before the first to hand out (default: the one before the last)")
    .option("--new-rcvid <N>", "the last receipt to hand out (default: the newest)")
    .option("--aux-file <FILE>", "use this file for %A")
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      `
Examples:
  gatepost hook test ci --dry-run
  gatepost hook test ci --base-rcvid 0        everything since the repository was registered; no window applies

Exits 0 when the hook did, 1 when it failed.`,
    )
    .action(test);
}

async function test(word: string, given: Options): Promise<void> {
  await withHome(given, async ({ home, repository }) => {
    const { findHook } = await import("../../home/hooks.ts");
    const { tryHook } = await import("../../home/try-hook.ts");
    const { openRepository } = await import("../../home/serve.ts");
    const { onlyRepositoryOf } = await import("../../home/repositories.ts");
    const hook = findHook(home, word);
    const row = repository ?? onlyRepositoryOf(home, hook);
    const stop = new AbortController();
    process.once("SIGINT", () => stop.abort());
    const trying = await tryHook(home, row, openRepository(row), hook, {
      base: receipt(given.baseRcvid, "--base-rcvid"),
      upto: receipt(given.newRcvid, "--new-rcvid"),
      auxiliary: given.auxFile ?? null,
      signal: stop.signal,
    });
    if (trying.standIn) say("Nothing was received yet; showing the newest commit of HEAD as if it had just arrived.");
    if (given.dryRun) {
      if (given.json) return printJson({ command: trying.readable, input: await text(trying.lines()) });
      print(plain(trying.readable));
      for await (const chunk of trying.lines()) printRaw(process.stdout.isTTY ? shownLines(chunk) : chunk);
      return;
    }
    const { end, output, tookMs, survivors } = await trying.run();
    const passed = end.kind === "exit" && end.code === 0;
    process.exitCode = passed ? 0 : 1;
    if (given.json)
      return printJson({ end, tookMs: Math.round(tookMs), survivors, output: output.head.toString("utf8") });
    printRaw(output.head);
    if (output.tail.length > 0) printRaw(output.tail);
    if (!passed) say(`gatepost: hook ${word}: ${inWords(end)}`);
    if (survivors > 0) say(`gatepost: ${survivors} processes outlived the hook and were ended.`);
  });
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
