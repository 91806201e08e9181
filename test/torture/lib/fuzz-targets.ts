/** What the fuzz throws inputs at: readers of what strangers write, and what must hold of their answers. A target throws
 *  an error of its own where something does not hold; what the reader throws goes through. */
import type { ByteString } from "../../../src/core/bytes.ts";
import { fromFossil, toFossil } from "../../../src/core/fossil-hook.ts";
import { readList, withEntry, withoutEntry, withoutTexts, writeList } from "../../../src/core/fossil-hook-list.ts";
import { matchesPattern, parseSequence, requireName, requireType } from "../../../src/core/hook.ts";
import { readPointer } from "../../../src/core/layout.ts";
import { parsePathspecs, shPattern } from "../../../src/core/pathspec.ts";
import { refMatcher } from "../../../src/core/ref-pattern.ts";
import {
  requireSetting,
  requireSettingValue,
  SETTINGS,
  settingMillis,
  settingsFrom,
} from "../../../src/core/settings.ts";
import { places, readable, substitute } from "../../../src/core/substitute.ts";
import { formatDuration, parseDuration } from "../../../src/core/units.ts";
import { formatEntry, namespacedRef, parseEntry } from "../../../src/spool/entry.ts";
import { formatGateEntry, isGateStart, parseGateEntry } from "../../../src/spool/gate-entry.ts";
import type { Random } from "../../helpers/random.ts";

export type Target = {
  name: string;
  /** How many of a hundred thousand inputs it gets. */
  share: number;
  seeds: readonly string[];
  check: (input: string, random: Random) => void;
};

/** Refuses what does not hold. */
export function holds(what: string, is: boolean): void {
  if (!is) throw new Error(`this does not hold: ${what}`);
}

export const same = (what: string, a: unknown, b: unknown): void =>
  holds(what, JSON.stringify(a) === JSON.stringify(b));

const [zero, one, two] = ["0".repeat(40), "1".repeat(40), "2".repeat(64)];
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

const HEAD = "gatepost 1\nkind push\nhook post-receive\ndir /srv/git/app.git\n";
const ENTRIES = [
  `${HEAD}namespace a/b\ngl_user alice\ngl_repo app\nremote_user a b\naddress 192.0.2.7\noption x\noption y\n z\nupdates\n${zero} ${one} refs/heads/main\nend 1\n`,
  `${HEAD}updates\n${two} ${two} refs/tags/v\xff\n${two} ${two} refs/heads/a b\nend 2\n`,
  "gatepost 1\nkind work\nhook post-commit\ndir /home/a\n b/.git\nend 0\n",
];
const GATES = [
  `gatepost 1\nkind gate\nhook pre-commit\nrun 1b9d-1\nclock 12345670\ndir /srv/a/.git\ntype before-commit\nverdict refused\ntook 120\nbranch refs/heads/main\nauthor_name al\n ice\nauthor_email a@b\nauthor_date @1 +0100\nran 3 refused 1 40\nskipped 4 path\nunrun 9\nend 0\n`,
  `gatepost 1\nkind gate\nhook update\ndir /srv/a.git\ntype before-ref\nverdict broken\ntook 0\nreason its compile is missing\nupdates\n${zero} ${one} refs/heads/main\nend 25+\n`,
  `gatepost 1\nkind gate\nhook pre-receive\ngl_user a\ndir /srv/a.git\ntype git:pre-rebase\nverdict pass\ntook 5\nran 0 pass 0 1\nupdates\n${one} ${zero} refs/heads/x\nend 1\n`,
];

type Parsed = { state: string; entry?: { updates: readonly unknown[] } };

/** What a whole entry says survives being written and read again, and nothing less than all of it is whole. */
function checkEntry(
  parse: (bytes: Uint8Array) => Parsed,
  format: (entry: never) => Buffer,
  input: string,
  random: Random,
) {
  const bytes = latin1(input);
  const parsed = parse(bytes);
  holds("whole, partial or bad", ["whole", "partial", "bad"].includes(parsed.state));
  if (parsed.state !== "whole") return;
  same("formats back to what parses equal", parse(format(parsed.entry as never)), parsed);
  const [, said, more] = /(?:^|\n)end (\d+)(\+?)\n$/.exec(input) ?? [];
  const count = parsed.entry?.updates.length ?? 0;
  holds("as many updates as its last line says", more === "+" ? count >= Number(said) : count === Number(said));
  const part = parse(bytes.subarray(0, random.below(bytes.length)));
  holds("a part of a whole entry is partial", part.state === "partial");
}

function checkUpdates(lines: string): void {
  const count = lines === "" ? 0 : lines.split("\n").length - 1;
  const parsed = parseEntry(latin1(`${HEAD}updates\n${lines}end ${count}\n`));
  if (parsed.state !== "whole") return;
  const { updates } = parsed.entry;
  const back = updates.map((update) => `${update.old} ${update.new} ${update.ref}\n`).join("");
  holds("the updates are the lines", latin1(back).equals(latin1(lines)));
  for (const { old, new: value, ref } of updates) {
    holds("ids of one length", old.length === value.length && !/[^0-9a-f]/.test(old + value));
    holds("a ref is one line", ref !== "" && !/[\n\0]/.test(ref));
    holds("stays below its namespace", namespacedRef("a" as ByteString, ref).startsWith("refs/namespaces/a/"));
  }
}

const isOurs = ({ cmd }: { cmd: string }): boolean => cmd.includes("gatepost");
const OURS = { cmd: "sh -c 'gatepost' '/h'", type: "before-commit", seq: 0 };

function checkList(input: string): void {
  const elements = readList(input);
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {}
  holds("a list is what JSON calls one", Array.isArray(value) === (elements !== null));
  const taken = withEntry(input, OURS, isOurs); // throws GP_REPOSITORY where it is none
  if (elements === null) throw new Error("an entry was put into what is no list");
  const texts = elements.map(({ text }) => text);
  holds("as many elements as JSON sees", (value as unknown[]).length === texts.length);
  for (const [n, text] of texts.entries())
    same("an element's text means the element", JSON.parse(text), (value as unknown[])[n]);
  same("written and read", readList(writeList(texts)), elements);
  const others = elements.filter(({ entry }) => entry === null || !isOurs(entry)).map(({ text }) => text);
  same(
    "put in once",
    readList(taken)
      ?.map(({ text }) => text)
      .filter((text) => !others.includes(text)).length,
    1,
  );
  same(
    "taken out, the others are as they were",
    readList(withoutEntry(taken, isOurs))?.map(({ text }) => text),
    others,
  );
  same("nothing to take out", withoutTexts(input, ["no such text"]), input);
}

const LIST = JSON.stringify([
  { cmd: "echo %F %R 100%", type: "after-receive", seq: 10 },
  { cmd: "sh -c 'gatepost'", type: "before-commit", seq: -1 },
  { cmd: 'a "b" ü', type: "disabled", seq: 0, more: [1, { x: "]}" }] },
]);

function checkFossilHook(cmd: string): void {
  const hook = fromFossil({ cmd, type: "after-receive", seq: 3 });
  if ("why" in hook) return;
  const back = toFossil(hook);
  // Without a %A, that is, which is nothing there: what it stood between may not be written side by side.
  if (!cmd.includes("%A")) same("there and back it is the same", back, { cmd, type: "after-receive", seq: 3 });
  fromFossil({ cmd, type: "before-commit", seq: 3 });
}

const VALUES = { program: "/p", repository: "/r; x'\"`$(y)", auxiliary: "" };
export const COMMANDS = [
  "cat %R '%A' \"in %F\" \\%R %%R 100%",
  'x=%R; case $x in a) echo "${x#%R/}";; esac',
  'for f in a b; do echo "$(cat %R `echo %A`)"; done # %R',
  "cat <<E\n$x\nE\necho ${x:-%R} && [ -n %R ] || exit 1",
  "f() { printf '%s\\n' \"${1%%.*}\"; }; f %R 2>&1 | sort",
] as const;

function checkSubstitute(command: string): void {
  const result = substitute(command);
  readable(command, VALUES);
  if (!result.ok) {
    holds("a refusal is one sentence", /^%?.+\.$/su.test(result.reason));
    return;
  }
  const parts = places(command);
  const letters = parts.flatMap((part) => (typeof part === "string" ? [] : part.letter));
  same("places that are used", [...result.uses].sort(), [...new Set(letters)].sort());
  if (!command.includes("%")) holds("without a percent sign it stays", result.command === command);
}

function checkSetting(input: string): void {
  const [name = "", ...rest] = input.split(" ");
  const length = parseDuration(rest.join(" "));
  if (length !== null) {
    holds("a duration is a number", Number.isSafeInteger(length) && length >= 0);
    formatDuration(length);
  }
  const setting = requireSetting(name);
  const value = requireSettingValue(setting, rest.join(" "));
  holds("it counts", Number.isSafeInteger(settingMillis(settingsFrom(new Map([[setting, value]])), setting)));
}

const NAMES = ["src/a.ts", "a b/\xff", "x", "", "a".repeat(60)] as ByteString[];

/** Matching tries no more than (length of pattern) x (length of name) places, whatever the pattern. */
function checkPattern(pattern: string): void {
  const specs = parsePathspecs([pattern, "src"]);
  const isRef = refMatcher(pattern);
  for (const name of NAMES) {
    if (specs.ok) specs.matches(name);
    isRef(name);
    matchesPattern(pattern, name);
  }
  const sh = shPattern(pattern);
  holds("a case pattern has no newline outside quotes", sh === null || !/\n/.test(sh.replace(/\\.|'[^']*'/gs, "")));
}

function checkWords(input: string): void {
  const [word = "", text = ""] = input.split("\n");
  if (word === "sequence") holds("a sequence is a whole number", Number.isSafeInteger(parseSequence(text)));
  else if (word === "name") holds("a name is plain", /^[\w.-]+$/.test(requireName(text)));
  else requireType(text, word === "fossil" ? "fossil" : "git");
}

function checkPointer(input: string): void {
  const home = readPointer(input);
  holds("a pointer is an absolute path", home === null || (home.startsWith("/") && !home.includes("\n")));
}

/** Those that read a text and nothing else. */
export const pureTargets: readonly Target[] = [
  {
    name: "entry",
    share: 18_000,
    seeds: ENTRIES,
    check: (input, random) => checkEntry(parseEntry, formatEntry, input, random),
  },
  {
    name: "gate-entry",
    share: 14_000,
    seeds: GATES,
    check: (input, random) => {
      isGateStart(latin1(input));
      checkEntry(parseGateEntry, formatGateEntry, input, random);
    },
  },
  {
    name: "updates",
    share: 10_000,
    seeds: [`${zero} ${one} refs/heads/main\n${one} ${zero} refs/heads/a b\n`, `${two} ${two} refs/x\xff\n`],
    check: checkUpdates,
  },
  { name: "fossil-list", share: 10_000, seeds: [LIST, "[]", '[1,"a,]",null]'], check: checkList },
  { name: "fossil-hook", share: 8000, seeds: ["echo %F %R %A 100%% %x", ...COMMANDS], check: checkFossilHook },
  { name: "substitute", share: 10_000, seeds: COMMANDS, check: checkSubstitute },
  {
    name: "setting",
    share: 8000,
    seeds: [
      ...Object.entries(SETTINGS).map(([name, { fallback }]) => `${name} ${fallback}`),
      "timeout 250ms",
      "window 30d",
    ],
    check: checkSetting,
  },
  {
    name: "pattern",
    share: 4000,
    seeds: [":(glob,top)src/**/*.ts", ":!a[b-d]?", "refs/heads/*", "team/*", "[[:alpha:]]*\\*x", "**/a/**"],
    check: checkPattern,
  },
  {
    name: "words",
    share: 3000,
    seeds: ["sequence\n-12", "name\nlint-all", "git\nafter-receive", "fossil\ngit:pre-rebase"],
    check: checkWords,
  },
  { name: "pointer", share: 2000, seeds: ["home: /srv/home\ngates: 12\n", "home: /a b\n"], check: checkPointer },
];
