/**
 * The compiled file: its shape, and that nothing but the whole of it passes. Every cut is tried, since a write that was
 * cut off is the one thing that could make a gate forget its hooks.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HookSpec } from "../../src/core/hook.ts";
import type { Millis } from "../../src/core/units.ts";
import { compileGate } from "../../src/gate/compile.ts";
import { partText } from "../../src/gate/parts.ts";
import { hookOf, STAND_SHELLS, Stand } from "./stand.ts";

type Given = Partial<HookSpec> & { command: string };

const upTo = (size: number, step = 1): number[] =>
  Array.from({ length: Math.ceil(size / step) }, (_, n) => n * step).filter((n) => n < size);

/** A hook of each option, and of each place in which words of strangers stand. */
const LARGE: readonly Given[] = [
  { command: "true" },
  { command: "echo $$", name: "own" },
  { command: "cat %A", timeout: 30_000 as Millis },
  { command: "test -s %A" },
  { command: "true", refs: ["main", "release/*", "team/**"] },
  { command: "true", paths: ["*.txt", 'it\'s a "path"'] },
  { command: "cat", stdin: "paths", paths: ["."] },
  { command: "pwd", dir: "sub" },
  { command: "false", advisory: true },
  { command: "true", parallel: true },
  { command: "cat", parallel: true, stdin: "paths", timeout: 30_000 as Millis, dir: "sub" },
];

describe("a compiled file", () => {
  const text = (type: string, hooks: readonly Given[]): string =>
    compileGate(
      type,
      hooks.map((given, n) => hookOf(type, n + 1, given)),
      { path: "/usr/bin:/bin", auxiliary: null },
    );

  it("has each hook in a subshell, in order, and ends with their number, a quote and no newline", () => {
    expect(
      text("before-commit", [{ command: "make test" }, { command: "echo $$ it's", name: "own", advisory: true }]),
    ).toBe(
      [
        "# The hooks of this type, compiled by Gatepost from its database. Change them there: gatepost hook edit",
        "if _gatepost_begin 1 'hook 1' '1'; then",
        `[ -z "$_gatepost_trace" ] || _gatepost_show 'make test'`,
        "(",
        "make test",
        ")",
        "_gatepost_end $?",
        "fi",
        "if _gatepost_begin 2 'hook 2 (own)' 'own'; then",
        `[ -z "$_gatepost_trace" ] || _gatepost_show 'echo $$ it'\\''s'`,
        "(",
        `exec /bin/sh -c 'echo $$ it'\\''s' sh "$@"`,
        ")",
        "_gatepost_end $? advisory",
        "fi",
        '_gatepost_done "2"',
      ].join("\n"),
    );
  });

  it("of no hooks says so, and passes", () => {
    expect(text("before-commit", []).split("\n").slice(1)).toEqual(['_gatepost_done "0"']);
  });

  it("has only the parts of the runtime that its hooks need", () => {
    const all = [
      "auxiliary",
      "describe",
      "distrust",
      "enter",
      "facts",
      "pushed",
      "refs",
      "staged",
      "temporary",
      "timed",
      "together",
    ] as const;
    const parts = (type: string, given: Given) => {
      const compiled = text(type, [given]);
      return all.filter((part) => compiled.includes(partText(part)));
    };
    expect(parts("before-commit", { command: "true" })).toEqual([]);
    expect(parts("before-commit", { command: "true", refs: ["main"] })).toEqual(["refs"]);
    expect(parts("before-commit", { command: "true", dir: "sub" })).toEqual(["enter", "staged"]);
    expect(parts("before-commit", { command: "true", timeout: 1000 as Millis })).toEqual(["enter", "timed"]);
    expect(parts("before-receive", { command: "true" })).toEqual(["distrust"]);
  });

  it("holds nothing of a stranger outside quotes", () => {
    const wild = `it's "$(touch canary)" \`touch canary\` ; touch canary #\n`;
    const compiled = text("before-commit", [
      { command: "true", name: wild, dir: wild, paths: [wild], refs: [wild] },
      { command: "true", name: wild, parallel: true, stdin: "paths", timeout: 1000 as Millis },
    ]);
    const stand = new Stand("dash");
    try {
      fs.writeFileSync(stand.compiledFile("before-commit"), compiled);
      stand.ask("before-commit");
      expect(fs.readdirSync(stand.dir, { recursive: true }).filter((name) => String(name).endsWith("canary"))).toEqual(
        [],
      );
    } finally {
      stand.remove();
    }
  });
});

describe.each(STAND_SHELLS)("where /bin/sh is %s", (shell) => {
  let stand: Stand;
  const ask = () => stand.ask("before-commit");
  beforeAll(() => {
    stand = new Stand(shell);
    stand.plain(`git init -q && mkdir sub && echo a >sub/a.txt && git add sub`);
  });
  beforeEach(() => {
    fs.rmSync(stand.compiledFile("before-commit"), { force: true, recursive: true });
    fs.rmSync(stand.log, { force: true });
  });
  afterAll(() => stand.remove());

  it("a compile that is cut after any byte refuses", () => {
    const text = stand.compile("before-commit", [{ command: "true" }, { command: "echo $$; exit 0" }]);
    expect(ask().code).toBe(0);
    const codes = stand.cut(stand.compiledFile("before-commit"), upTo(text.length), "before-commit");
    expect(codes).toHaveLength(text.length);
    expect(codes.flatMap((code, size) => (code === 0 ? [text.slice(0, size)] : []))).toEqual([]);
    expect(ask().code).toBe(0);
  });

  it("so does one of hooks with all options, wherever it is cut", () => {
    const text = stand.compile("before-commit", LARGE);
    const author = { GIT_AUTHOR_NAME: "alice" };
    const whole = stand.ask("before-commit", { env: author });
    expect([whole.code, whole.stderr.split("\n").filter((line) => line.startsWith("gatepost"))]).toEqual([
      0,
      ["gatepost: before-commit hook 9 failed: exit 1. It is advisory, so nothing is refused."],
    ]);
    const hooks = text.indexOf("if _gatepost_begin 1");
    const sizes = [...upTo(hooks, 397), ...upTo(text.length, 101).filter((size) => size >= hooks)];
    const ends = upTo(text.length).slice(-25); // here it says how many hooks there are
    const codes = stand.cut(stand.compiledFile("before-commit"), [...sizes, ...ends], "before-commit", author);
    expect(codes).toHaveLength(sizes.length + ends.length);
    expect(codes.filter((code) => code === 0)).toEqual([]);
    expect(fs.readdirSync(join(stand.home, "aux"))).toEqual([]);
  });

  it("a compile that is missing, empty, a folder or of fewer hooks than it says refuses, and says which file", () => {
    const file = stand.compiledFile("before-commit");
    const refusal = () => {
      const { code, stderr } = ask();
      return [
        code === 0,
        stderr.includes(`The before-commit gate is broken, so this commit is refused`),
        stderr.includes(file),
      ];
    };
    const refused = [false, true, true];
    expect(refusal()).toEqual(refused);
    fs.writeFileSync(file, "");
    expect(refusal()).toEqual(refused);
    fs.writeFileSync(file, 'if true; then\n_gatepost_done "0"');
    expect(refusal()).toEqual(refused);
    const text = stand.compile("before-commit", [{ command: "true" }]);
    fs.writeFileSync(file, text.replace('"1"', '"2"'));
    expect(refusal()).toEqual(refused);
    fs.writeFileSync(file, text.replace("_gatepost_begin", "false && _gatepost_begin"));
    expect(refusal()).toEqual(refused);
    fs.rmSync(file);
    fs.mkdirSync(file);
    expect(refusal()).toEqual(refused);
  });

  it.skipIf(process.getuid?.() !== 0)("one that the caller may not read refuses", () => {
    stand.compile("before-commit", [{ command: "true" }]);
    fs.chmodSync(stand.dir, 0o755);
    const asked = { uid: 54321 };
    expect(stand.ask("before-commit", asked).code).toBe(0);
    fs.chmodSync(stand.compiledFile("before-commit"), 0o600);
    const { code, stderr } = stand.ask("before-commit", asked);
    expect([code, stderr.includes("may not be read by this user")]).toEqual([1, true]);
  });

  it("a rest of the runtime that is cut anywhere, or gone, refuses what needs it and leaves alone what does not", () => {
    const rest = join(stand.hooks, "gatepost", "gate.sh");
    const text = fs.readFileSync(rest, "latin1");
    const last = text.lastIndexOf("_gatepost_rest=");
    const sizes = [...upTo(last, 50), last + "_gatepost_rest=".length + 15];
    const zeros = (env: Record<string, string> = {}) =>
      stand.cut(rest, sizes, "before-commit", env).filter((code) => code === 0).length;
    stand.compile("before-commit", [{ command: "exit 3" }]);
    expect(zeros()).toBe(0);
    stand.compile("before-commit", [{ command: "true" }]);
    expect(zeros({ GATEPOST_TRACE: "1" })).toBe(0);
    expect(zeros()).toBe(sizes.length);
    fs.rmSync(rest);
    expect(stand.ask("before-commit").code).toBe(0);
    const { code, stderr } = stand.ask("before-commit", { env: { GATEPOST_SKIP: "1" } });
    expect([
      code,
      stderr.includes(`${rest.slice(stand.tree.length + 1)} is missing, not complete or of another version`),
    ]).toEqual([1, true]);
    fs.writeFileSync(rest, text, "latin1");
  });

  it("a shim that is cut after any line, from the third on, does not pass a hook that refuses", () => {
    stand.compile("before-commit", [{ command: "exit 3" }]);
    const shim = join(stand.hooks, "pre-commit");
    const text = fs.readFileSync(shim, "latin1");
    const lines = text.split("\n").slice(0, -1);
    const sizes = lines.map((_, n) => lines.slice(0, n + 1).join("\n").length + 1);
    const codes = stand.cut(shim, sizes, "before-commit");
    expect(codes).toHaveLength(lines.length);
    expect(codes.flatMap((code, n) => (code === 0 ? [lines[n]] : []))).toEqual([lines[0], lines[1]]);
    expect(stand.ask("before-commit").code).toBe(3);
  });

  it("a hundred hooks all run, in order, and each is in the record", () => {
    const said = Array.from({ length: 100 }, (_, n) => `${n} it's "q" \`x\` $HOME \\`);
    const commands = said.map((text) => ({ command: `printf '%s\\n' '${text.replaceAll("'", "'\\''")}'` }));
    stand.compile("before-commit", commands);
    const { code, stdout, stderr } = ask();
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(said.map((text) => `${text}\n`).join(""));
    expect(stand.records().map(({ hooks, verdict }) => [verdict, hooks.length])).toEqual([["pass", 100]]);
  });
});
