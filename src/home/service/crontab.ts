/**
 * Our lines in a crontab: a sealed block between others' lines, which are kept byte for byte.
 *
 * Texts here are byte strings (latin1), since a crontab may hold anything. Pure; the program `crontab` is called by
 * install.ts. A pass each few minutes is enough: pushes to Git start one by themselves, and Fossil's wait that long.
 */
import { GatepostError } from "../../core/errors.ts";
import { quoted } from "../../core/shell-word.ts";
import { type Found, judge, requirePlain, seal } from "./sealed.ts";

/** What a line of a crontab starts: absolute paths, and homes or repositories (none: every registered one). */
export type LineOptions = {
  node: string;
  program: string;
  names: readonly string[];
  env: Readonly<Record<string, string>>;
};

const END = "# gatepost service end\n";

/** The block for a crontab. */
export function cronBlock({ node, program, names, env }: LineOptions): string {
  const set = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)} `);
  const words = [node, program, "backoffice", "--nodelay", ...(names.length === 0 ? [] : ["--", ...names])].map(
    (text) => (/^[\w./:-]+$/.test(text) ? text : quoted(text)),
  );
  const command = requirePlain(`cd / && ${set.join("")}exec ${words.join(" ")}`);
  // cron takes % for a newline unless a backslash stands before it, and cannot be told that a backslash stands for itself.
  if (command.includes("\\%"))
    throw new GatepostError("GP_USAGE", "A path with \\% in it cannot be named in a crontab.");
  const line = `*/5 * * * * ${command.replaceAll("%", "\\%")}\n`;
  return `${Buffer.from(seal(line), "utf8").toString("latin1")}${END}`;
}

/** Where our block stands in a crontab, and in which state. */
export type BlockPlace = { found: Found; from: number; upto: number; text: string };

/** Finds our block in a crontab; where there is none, where it would stand. */
export function locateBlock(table: string): BlockPlace {
  const from = table.search(/^# gatepost service [0-9a-f]{16} /m);
  if (from < 0) return { found: "absent", from: table.length, upto: table.length, text: "" };
  const end = table.indexOf(END, from);
  // Without its end, everything below may be others': one line is taken for ours.
  const upto = end >= 0 ? end + END.length : endOfLine(table, from);
  const text = table.slice(from, upto);
  const isWhole = end >= 0 && judge(asUtf8(text.slice(0, -END.length))) === "ours";
  return { found: isWhole ? "ours" : "edited", from, upto, text };
}

const asUtf8 = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");

function endOfLine(table: string, from: number): number {
  const at = table.indexOf("\n", from);
  return at < 0 ? table.length : at + 1;
}

/** The crontab with this block in place of ours, or behind all others' lines; "" takes ours out. */
export function withBlock(table: string, block: string): string {
  const { from, upto } = locateBlock(table);
  const before = table.slice(0, from);
  const glue = block !== "" && before !== "" && !before.endsWith("\n") ? "\n" : "";
  return before + glue + block + table.slice(upto);
}

/** The words of our line's command; null where it cannot be read. */
export function commandOfLine(block: string): string[] | null {
  const [, line] = /^[^#\n].*? exec (.*)$/m.exec(asUtf8(block)) ?? [];
  if (line === undefined) return null;
  const words = line.replaceAll("\\%", "%").match(/(?:'[^']*'|\\'|[^\s'\\])+/g);
  return words?.map((text) => text.replace(/'([^']*)'|\\'/g, (_, inside?: string) => inside ?? "'")) ?? null;
}
