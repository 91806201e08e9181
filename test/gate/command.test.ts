/**
 * A hook's text in a gate is the same as under `sh -c`: exit code, what it prints, files and modes. Each text stands
 * between two neighbours, and takes in neither: the one before it ran; the one behind it ran if the text passed, and is
 * named as not run if it did not.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HookSpec, NO_OPTIONS } from "../../src/core/hook.ts";
import { isPlainCall, standsInline } from "../../src/gate/command.ts";
import { addHook } from "../../src/home/hooks.ts";
import { shellComplaint } from "../../src/process/shell.ts";
import { makeWorld } from "../helpers/cli.ts";
import { enter, leave, serve } from "../helpers/served.ts";
import { FATAL, OF_THE_SHELL, type Text } from "./command-texts.ts";
import { OF_THE_TEXT, UNREADABLE } from "./command-texts-more.ts";
import { STAND_SHELLS, Stand } from "./stand.ts";

const TEXTS = { ...OF_THE_SHELL, ...OF_THE_TEXT };

/**
 * A complaint without what tells where it was read: shells begin it with their name or the script's and a line. And
 * without what the gate's shell says of a hook that was killed, as the caller of `sh -c` would.
 */
const complaint = (text: string): string =>
  text
    .replaceAll(/^(?:(?:sh|\S*\/(?:sh|pre-commit|before-commit))(?:: line \d+|: \d+(?=: (?!Bad file)))?: )+/gm, "sh: ")
    .replaceAll(/^sh: (?:\d+: )?(\d+: Bad file)/gm, "sh: $1")
    .replaceAll(/\bline \d+/g, "line")
    .replaceAll(/^(?:sh: +(?:\d+ )?)?(?:Killed|Hangup|Broken pipe)\b.*\n/gm, "");

it("there are more than 300 texts to compare, each of them once", () => {
  const all = [...Object.values(TEXTS).flat(), ...FATAL].map((text) => JSON.stringify(text));
  expect(all.length).toBeGreaterThan(300);
  expect(all.filter((text, n) => all.indexOf(text) !== n)).toEqual([]);
});

describe.each(STAND_SHELLS)("where /bin/sh is %s", (shell) => {
  let stand: Stand;
  beforeAll(() => {
    stand = new Stand(shell);
  });
  afterAll(() => stand.remove());

  /** What differs, in words; nothing where all is the same. */
  function differences(one: Text, fatal = false): string[] {
    const { text, args = [], input = "" } = typeof one === "string" ? { text: one } : one;
    stand.sweep();
    const plain = stand.plain(text, { args, input });
    const code = fatal && shell === "bash" ? 1 : plain.code;
    const expected = { ...plain, code, stderr: complaint(plain.stderr), files: stand.files(), ...around(code) };

    stand.sweep();
    for (const file of [join(stand.git, "ran"), stand.log]) fs.rmSync(file, { force: true });
    const neighbour = { command: "echo ran >>.git/ran" };
    stand.compile("before-commit", [neighbour, { command: text }, neighbour]);
    const asked = stand.ask("before-commit", { args, input });
    const [, own = "", verdict = ""] = /^([\s\S]*?)(gatepost: before-commit hook .*\n)?$/.exec(asked.stderr) ?? [];
    const got = {
      ...{ ...asked, stderr: complaint(own), files: stand.files() },
      neighbours: fs.readFileSync(join(stand.git, "ran"), "latin1"),
      named: verdict.includes("hook 2") && verdict.includes(" Not run: hook 3."),
      record: stand.records().map(({ hooks }) => hooks.map(({ line, hook }) => `${line} ${hook}`).join(", ")),
    };
    const shown = (value: unknown) => JSON.stringify(value).slice(0, 300);
    return Object.entries(expected).flatMap(([key, value]) => {
      const other = got[key as keyof typeof got];
      const same = JSON.stringify(other) === JSON.stringify(value);
      return same ? [] : [`${shown(text)} ${key}: ${shown(other)} in the gate, not ${shown(value)}`];
    });
  }

  /** What becomes of the neighbours of a text that ends like that. */
  const around = (code: number) => ({
    neighbours: code === 0 ? "ran\nran\n" : "ran\n",
    named: code !== 0,
    record: [code === 0 ? "ran 1, ran 2, ran 3" : "ran 1, ran 2, unrun 3"],
  });

  it.each(Object.keys(TEXTS))("texts about %s are the same in a gate as under sh -c", (group) => {
    expect((TEXTS[group] ?? []).flatMap((text) => differences(text))).toEqual([]);
  });

  it("what ends the shell in the middle of a text does not end the gate", () => {
    expect(FATAL.flatMap((text) => differences(text, true))).toEqual([]);
  });

  it("a hook finds umask, folder and descriptors as git gave them, and so does the next", () => {
    const command = "umask; pwd; ls -l /proc/self/fd | sed -n 's/.* \\([0-9]* -> \\).*/\\1/p' | tr -d '\\n'";
    const wrapped = `umask 027; ${command}; echo`;
    const plain = stand.plain(`${wrapped}; ${command}; echo`);
    stand.compile("before-commit", [{ command: "umask 000; cd /; exec 5>/dev/null" }, { command: `${command}; echo` }]);
    const script = "umask 027; exec .git/hooks/pre-commit";
    const gate = stand.plain(script);
    expect(gate.stdout + gate.stdout).toBe(plain.stdout);
  });
});

describe("a text", () => {
  it("that says nothing of the shell it runs in costs no second shell", () => {
    const inline = [
      "npm test",
      "set -e; make",
      "set -eu\nmake",
      "set -- a b",
      "trap 'rm x' EXIT",
      "trap - 0",
      "unset x",
    ];
    const more = ['x=$y_; echo "$_gatepost"', "echo ${x-y} $#", "cat <<E\nx\nE"];
    expect([...inline, ...more].filter((text) => !standsInline(text))).toEqual([]);
  });

  it("that calls one program by its path, or a builtin that can do nothing to the shell, costs no fork of the shell", () => {
    const calls = ["/bin/true", "./check.sh a -b", "node_modules/.bin/x --fix=1", "true", '/bin/x "$1" "$@"'];
    expect([...calls, "/bin/x 'a $b' \"c ${GATEPOST_AUX}\""].filter((text) => !isPlainCall(text))).toEqual([]);
    const words = ["/bin/x *", "/bin/x ~", "/bin/x $y", '/bin/x "$y"', "/bin/x `y`", "/bin/x {a,b}", "/bin/x a\\ b"];
    const more = [
      "/bin/x; y",
      "/bin/x & ",
      "/bin/x | y",
      "/bin/x >y",
      "/bin/x\ny",
      "a=/b/c",
      "a=b /bin/x",
      "/bin/x # y",
    ];
    const others = [
      "npm test",
      "exit 1",
      "cd /",
      "printf -v x y",
      ". /x",
      "exec /bin/x",
      "! /bin/x",
      "( /bin/x )",
      "/bin/x 'a",
    ];
    expect([...words, ...more, ...others].filter(isPlainCall)).toEqual([]);
  });

  it("that does, or that does not end at its last line, has one to itself", () => {
    const own = ["echo $$", "echo ${$}", "echo $0", "echo ${0##*/}", "echo $-", "echo $!", "echo ${!-x}", 'a="$_"'];
    const sets = ["set", "set -v", "set -e -v", "set -eo pipefail", "set -$x", "set +x", "x=$(set)", "set a b"];
    const more = [
      "trap",
      "x=$(trap)",
      "trap -p",
      "return",
      "alias a=b",
      "echo $LINENO",
      "cat <<E\nx",
      "echo \\",
      "#",
      "",
    ];
    expect([...own, ...sets, ...more].filter(standsInline)).toEqual([]);
  });

  it("that no shell can read is refused when it is added", async () => {
    const world = makeWorld();
    try {
      enter(world);
      const { home } = await serve(world);
      const spec: Omit<HookSpec, "command"> = {
        ...NO_OPTIONS,
        name: null,
        scope: { scope: "all" },
        sequence: 10,
        type: "before-receive",
      };
      const added = (command: string): string => {
        try {
          addHook(home, { ...spec, command });
          return "added";
        } catch (error) {
          return (error as { code?: string }).code ?? String(error);
        }
      };
      for (const text of UNREADABLE) {
        expect([text, added(text)]).toEqual([text, "GP_COMMAND"]);
        expect([text, shellComplaint(text) !== null]).toEqual([text, true]);
      }
      expect(added("")).toBe("GP_COMMAND");
      expect(added(" \n\t")).toBe("GP_COMMAND");
    } finally {
      leave(world);
    }
  });
});
