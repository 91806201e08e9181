/**
 * Asks the gate of a scratch repository: starts the shim as git would, and says in words what came of it.
 *
 * The shim ends its own explanation with how to get round the gate, which is no news to whoever tries a hook: it is cut
 * off, so that what is left is what the hook said.
 */
import { type ByteString, toText } from "../core/bytes.ts";
import { GatepostError } from "../core/errors.ts";
import type { Hook } from "../core/hook.ts";
import { quoted } from "../core/shell-word.ts";
import { formatDuration, type Millis } from "../core/units.ts";
import { type Outcome, runAttempt } from "../process/hook-process.ts";
import { type Scratch, takeRecord } from "./scratch.ts";

/** One call of a native hook. */
export type Call = {
  /** The shim, by its place in the hooks folder. */
  shim: string;
  args: readonly ByteString[];
  env: Record<string, string>;
  stdin: Buffer | null;
};

export type Limits = {
  grace: Millis;
  drain: Millis;
  /** Bytes kept from the start of the output, and again from its end. */
  keep: number;
  signal: AbortSignal;
};

export type Answer = {
  /** `skipped`: by one of its options. `interrupted`: by the signal. */
  verdict: "pass" | "refused" | "skipped" | "interrupted";
  /** The exit status that git would see; null where there is none. */
  exit: number | null;
  /** Why it is no pass, in a few words; empty where it is one. */
  why: string;
  /** What the hook printed. */
  output: Buffer;
  outcome: Outcome;
};

const LEFT_OUT: Record<string, string> = {
  path: "no path matches --path",
  ref: "no ref matches --ref",
  none: "no path is left for --stdin paths",
  asked: "GATEPOST_SKIP names it",
};

/** Runs the hook of the scratch once. A hook that refuses is a value; only one that cannot be started is an error. */
export async function ask(scratch: Scratch, call: Call, limits: Limits): Promise<Answer> {
  takeRecord(scratch); // of a call that was interrupted
  const outcome = await runAttempt({
    command: `exec ${[quoted(`${scratch.hooks}/${call.shim}`), ...call.args.map(word)].join(" ")}`,
    cwd: scratch.cwd,
    env: { ...call.env, ...scratch.env },
    stdin: call.stdin === null ? null : once(call.stdin),
    timeout: null, // the gate has the hook's own
    ...limits,
  });
  return answerOf(scratch, outcome, takeRecord(scratch));
}

/** Bytes as one word of sh, which Node can hand over as text. A name never ends in a newline, which $() would take. */
function word(bytes: ByteString): string {
  const text = toText(bytes);
  if (text !== null) return quoted(text);
  return `"$(printf '${[...bytes].map((c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`).join("")}')"`;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function answerOf({ hook, type }: Scratch, outcome: Outcome, record: string): Answer {
  const { end, output: kept } = outcome;
  const output = Buffer.concat([kept.head, kept.tail]);
  const common = { output, outcome };
  if (end.kind === "aborted") return { ...common, verdict: "interrupted", exit: null, why: "interrupted" };
  if (end.kind === "signal") return { ...common, verdict: "refused", exit: null, why: `killed by ${end.signal}` };
  if (end.kind !== "exit")
    throw new GatepostError(
      end.kind === "not-started" ? "GP_FULL" : "GP_BUG",
      `The gate could not be asked (${end.kind}).`,
      {
        hint: "Nothing was changed. The system may be out of processes or descriptors.",
      },
    );
  // A line of a record begins with a key only if the gate wrote it.
  const [, line = "", word = "", status = "0"] =
    new RegExp(`^(ran|skipped) ${hook.id} ([a-z]+)(?: (\\d+) \\d+)?$`, "m").exec(record) ?? [];
  if (line === "skipped") return { ...common, verdict: "skipped", exit: end.code, why: LEFT_OUT[word] ?? word };
  if (line === "ran" && word === "pass" && end.code === 0) return { ...common, verdict: "pass", exit: 0, why: "" };
  // What runs after the fact cannot refuse; git would go on, but the hook failed.
  const exit = word === "advisory" ? Number(status) : end.code;
  const reason = /^reason (.+)$/m.exec(record)?.[1] ?? null;
  return {
    ...common,
    output: withoutOurs(output, type, hook),
    verdict: "refused",
    exit,
    why: inWords(word, exit, reason, hook),
  };
}

function inWords(word: string, exit: number, reason: string | null, hook: Hook): string {
  if (word === "timeout") return `timed out after ${formatDuration(hook.timeout ?? 0)}`;
  if (word === "signal") return `killed by signal ${exit % 128}`;
  if (exit === 127) return "not found (127)";
  if (exit === 126) return "could not be run (126)";
  return reason === null || word === "refused" ? `exit ${exit}` : reason;
}

function withoutOurs(output: Buffer, type: string, hook: Hook): Buffer {
  const at = output.lastIndexOf(`gatepost: ${type} hook ${hook.id}`);
  return at === -1 ? output : output.subarray(0, at);
}
