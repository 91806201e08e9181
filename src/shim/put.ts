/**
 * The texts of the shims, and putting one in place so that it lasts.
 *
 * The second line of a shim holds a sum of its own text. By it a shim of ours, of whatever version, is told from one that
 * somebody edited, and both from another's hook. Gates read the rest of their runtime from a second file; both hold one
 * version, made from all of their text, so that a shim never runs with the rest of another version. A shim is put
 * together from several texts, since the gates of Git and of Fossil begin differently and go on alike.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeFile, makeRealFolder, ownMark } from "../process/replace-file.ts";
import { syncFileSystem, syncPath } from "../process/sync.ts";
import { textSum } from "./text-sum.ts";

const runtime = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../src/shim/runtime/${file}`, import.meta.url)), "latin1");

const FILES = {
  receive: ["receive.sh"],
  gate: ["gate.sh", "gate-core.sh", "gate-git.sh", "gate-go.sh"],
  /** What the shims of gates read when they need it: gatepost/gate.sh in the hooks folder. */
  rest: ["gate-rest.sh", "gate-end.sh"],
  fossil: ["fossil.sh", "gate-core.sh", "fossil-find.sh", "gate-go.sh"],
  "fossil-rest": ["gate-rest.sh", "fossil-rest.sh", "gate-end.sh"],
  "fossil-editor": ["fossil-editor.sh"],
} as const satisfies Record<string, readonly string[]>;

export type ShimKind = keyof typeof FILES;

const texts = new Map<ShimKind, string>();

/** The whole text of a shim. */
export function shimText(kind: ShimKind): string {
  const known = texts.get(kind);
  if (known !== undefined) return known;
  const text = seal(FILES[kind].map(runtime).join("\n").replaceAll("@VERSION@", gateVersion));
  texts.set(kind, text);
  return text;
}

const gateVersion = (): string =>
  textSum([...FILES.gate, ...FILES.fossil, ...FILES["fossil-rest"]].map(runtime).join(""));

const SUM = "@SUM@";

/** Puts the sum into a text that has a place for it. */
const seal = (text: string): string => text.replace(SUM, () => textSum(text));

const SEALED = /^# gatepost shim \d+(?: [a-z]+)? ([0-9a-f]{16})$/;

/** Shims of the version before had no sum: by their second line and what followed it. */
const UNSEALED: Readonly<Record<string, string>> = {
  "# gatepost shim 1": "#\n# Tells Gatepost that something arrived in this repository: as post-receive it writes down",
  "# gatepost shim 1 gate": "trap 'exit 1' 0 # until there is more to say\n",
};

/** Lines that people insert before the mark do not make it another's hook; what is quoted far below does. */
const MARK_WITHIN = 50;

/** Whose a hook is: ours as some version wrote it, ours but edited since, or another's. Git may have changed the line
 *  ends of one that is committed. */
export function whoseText(raw: string): "ours" | "edited" | "foreign" {
  const text = raw.replaceAll("\r\n", "\n");
  const lines = text.split("\n", MARK_WITHIN);
  const after = (at: number): string => lines.slice(at + 1, at + 4).join("\n");
  const at = lines.findIndex((line, index) => {
    const next = UNSEALED[line];
    return SEALED.test(line) || (next !== undefined && after(index).startsWith(next));
  });
  const mark = lines[at];
  if (mark === undefined) return "foreign";
  if (at !== 1) return "edited";
  const sum = SEALED.exec(mark)?.[1];
  if (sum === undefined) return "ours";
  const unsealed = [lines[0], mark.replace(sum, SUM), text.split("\n").slice(2).join("\n")].join("\n");
  return textSum(unsealed) === sum ? "ours" : "edited";
}

/** Puts the shim of a kind into a hooks folder under that name, by renaming it into place. */
export function putShim(hooksFolder: string, name: string, kind: ShimKind): void {
  const file = join(hooksFolder, name);
  const temporary = `${file}.gatepost-${ownMark()}`;
  if (!existsSync(hooksFolder)) mkdirSync(hooksFolder, { recursive: true }); // may be a link, as its owner likes; our own folders in it may not
  let folder = hooksFolder;
  for (const level of name.split("/").slice(0, -1)) {
    folder = join(folder, level);
    makeRealFolder(folder);
  }
  const sync = existsSync(file);
  makeFile(temporary, shimText(kind), { mode: 0o755, encoding: "latin1", sync }); // a pusher of the group must be able to run it
  if (!sync) unsynced.add(file);
  renameSync(temporary, file);
}

/** New shims that a power cut could still empty. An empty hook passes, so nobody may be told that a gate stands before
 *  `syncShims`. */
const unsynced = new Set<string>();

/** Makes all shims last that were put in place. Many of them take one sync of their file system, not one each. */
export function syncShims(): void {
  const files = [...unsynced].filter(existsSync);
  unsynced.clear();
  const folders = new Map(files.map((file) => [statSync(file).dev, dirname(file)]));
  if (files.length > MANY && [...folders.values()].every(syncFileSystem)) return;
  for (const file of files) syncPath(file);
  for (const folder of new Set(files.map(dirname))) syncPath(folder);
}

const MANY = 16;
