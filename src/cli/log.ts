/** What a backoffice says: lines on stderr, as text or as JSON, and the log file in Fossil's format. */
import { appendFileSync } from "node:fs";
import { fromSystem, GatepostError, inOneLine } from "../core/errors.ts";
import type { Log, Passed } from "../home/backoffice.ts";
import { plain, report, say } from "./output.ts";

type Shown = { logFormat: "text" | "json"; stays: boolean; debug?: boolean; trace?: boolean };

/** What a backoffice says on stderr. */
export type Logger = {
  line: Log;
  /** What a person at the terminal sees without a time. */
  say(message: string): void;
  /** The error that ends a call, or part of it, as a line; returns its exit code. */
  failure(error: unknown): number;
};

/** `clear` is called before anything is written, to take a line of progress away. */
export function logTo({ logFormat, stays, debug = false, trace = false }: Shown, clear: () => void): Logger {
  const asked = debug || trace;
  const shown = { error: true, info: stays || asked, debug: asked, trace };
  const line: Log = (level, message, home) => {
    if (!shown[level]) return;
    clear();
    const time = new Date().toISOString();
    if (logFormat === "json") say(jsonLine({ time, level, ...(home === undefined ? {} : { home }), message }));
    else say(`${stays ? `${time} ` : ""}gatepost: ${plain(message)}`);
  };
  return {
    line,
    say: (message) => (logFormat === "json" ? line("info", message) : say(`gatepost: ${plain(message)}`)),
    failure(thrown) {
      const error = fromSystem(thrown);
      if (!(error instanceof GatepostError)) return report(error);
      line("error", inOneLine(error));
      return error.exitCode;
    },
  };
}

/** One line of printable ASCII: what a terminal or a reader of lines could take for more is written as \\uXXXX. */
const jsonLine = (value: object): string =>
  JSON.stringify(value).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** `2026-11-21 07:18:49 My-Proj 1 hooks elapse-time 3230 us`, as Fossil logs it. The file is opened for each line, so
 *  that it may be moved away at any time. */
export class LogFile {
  readonly #path: string;
  readonly #complain: Log;
  #failed = false;

  constructor(path: string, complain: Log) {
    this.#path = path;
    this.#complain = complain;
  }

  /** Idle passes only where `all` is wanted. */
  add(home: string, passed: Passed, took: number, all: boolean): void {
    if (this.#failed) return; // one complaint, not one for each pass
    const at = new Date().toISOString().slice(0, 19).replace("T", " ");
    const rest = `elapse-time ${Math.round(took * 1000)} us`;
    const line = (name: string, what: string) => `${at} ${plain(name).replaceAll(" ", "-")} ${what} ${rest}\n`;
    const lines = [...passed.runs].map(([name, count]) => line(name, `${count} hooks`));
    if (lines.length === 0 && all) lines.push(line(home, "no-op"));
    try {
      if (lines.length > 0) appendFileSync(this.#path, lines.join(""));
    } catch (error) {
      this.#failed = true;
      this.#complain("error", `The log file cannot be written (${(error as Error).message}).`);
    }
  }

  /** Tries again what failed. */
  reopen(): void {
    this.#failed = false;
  }
}
