/**
 * The only place that writes to the terminal: data on stdout, messages on stderr, colour only where somebody looks.
 * Whatever came from a repository or a hook is escaped before it gets here, or by `plain` here.
 */
import { escapeControls } from "../core/bytes.ts";
import { fromSystem, GatepostError } from "../core/errors.ts";
import { typed } from "../core/shell-word.ts";

/** Whoever reads us may stop reading (`| head`): that ends the program quietly, as it does any other. */
export function quietOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
}

/** For a program that works on though nobody reads it any more (a log pipe whose reader ended, a full disk, a terminal
 *  that is gone): what it says then goes nowhere. */
export function goOnUnread(): void {
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error").on("error", () => {});
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const printRaw = (text: string | Uint8Array): void => void process.stdout.write(text);
export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** One documented value as JSON. */
export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2));

/** Text that may hold anything, safe to show on one line. */
export const plain = escapeControls;

/** Text of several lines, safe to show. */
export const plainLines = (text: string): string => text.split("\n").map(escapeControls).join("\n");

const colours = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** Colours text for stdout, if that is a terminal and nobody asked otherwise (NO_COLOR). */
export function paint(colour: keyof typeof colours, text: string): string {
  const wanted = process.stdout.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
  return wanted ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
}

const colourCode = /\x1b\[\d+m/g;
const width = (text: string): number => text.replace(colourCode, "").length;

/** Columns under their headings; right-aligned where the heading starts with a blank. The last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.trim().length, ...rows.map((row) => width(row[column] ?? ""))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const space = " ".repeat(Math.max(0, (widths[column] ?? 0) - width(cell)));
        if (headings[column]?.startsWith(" ")) return space + cell;
        return column === cells.length - 1 ? cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  return [line(headings.map((heading) => heading.trim())), ...rows.map(line)].join("\n");
}

/** Reports what went wrong on stderr and returns the exit code. */
export function report(thrown: unknown): number {
  const error = fromSystem(thrown);
  if (error instanceof GatepostError) {
    say(`gatepost: ${plainLines(error.message)}`);
    if (error.hint !== null) say(plainLines(withWords(error.hint)));
    return error.exitCode;
  }
  say(`gatepost: a bug: ${plainLines(error instanceof Error ? (error.stack ?? error.message) : String(error))}`);
  say("Nothing that was acknowledged is lost. Please report it with these lines.");
  return 70;
}

/** A hint that ends in "gatepost …" means the very call that was made. */
function withWords(hint: string): string {
  if (!hint.endsWith(" gatepost …")) return hint;
  const words = process.argv.slice(2).map(typed).join(" ");
  return words.length > 300 ? hint : `${hint.slice(0, -1)}${words}`;
}

/** One line on stderr that is written over and over while something long goes on; nothing where nobody looks. */
export function progressLine(): { show: (text: string) => void; clear: () => void } {
  let shown = false;
  let last = 0;
  return {
    show(text) {
      const at = performance.now();
      if (!process.stderr.isTTY || at - last < 100) return;
      last = at;
      shown = true;
      process.stderr.write(`\r\x1b[K${plain(text).slice(0, (process.stderr.columns ?? 80) - 1)}`);
    },
    clear() {
      if (shown) process.stderr.write("\r\x1b[K");
      shown = false;
    },
  };
}
