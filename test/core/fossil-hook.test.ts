/** Hooks from Fossil and back to it: the same command to the shell on both sides. */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { fromFossil, passesCheck, sortsAlike, toFossil } from "../../src/core/fossil-hook.ts";
import { type HookSpec, NO_OPTIONS } from "../../src/core/hook.ts";
import { substitute } from "../../src/core/substitute.ts";
import { makeWorld } from "../helpers/cli.ts";

const world = makeWorld("gatepost-fossil-hook-");
afterAll(() => world.remove());
const fossilEnv = { FOSSIL_HOME: world.at("user") };
const repository = world.at("r.fossil");
const fossil = (...args: string[]): string => {
  const { stdout, stderr, code } = world.run(["fossil", ...args], { env: fossilEnv });
  if (code !== 0) throw new Error(`fossil ${args[0]}: ${stderr}`);
  return stdout;
};
fossil("init", repository);
fossil("hook", "add", "--type", "disabled", "--command", "x", "-R", repository);

const hook = (command: string | null, more: Partial<HookSpec> = {}) => ({
  ...NO_OPTIONS,
  type: "after-receive",
  sequence: 10,
  command,
  ...more,
});
const entry = (cmd: string, type = "after-receive", seq = 10) => ({ cmd, type, seq });
const imported = (cmd: string, type = "after-receive"): string | null => {
  const found = fromFossil(entry(cmd, type));
  return "why" in found ? `not: ${found.why}` : found.command;
};
const exported = (command: string | null, more: Partial<HookSpec> = {}): string => {
  const found = toFossil(hook(command, more));
  return "why" in found ? `not: ${found.why}` : found.cmd;
};

describe("a hook of Fossil's", () => {
  it("has its percent signs doubled where they begin no place", () => {
    expect(imported("date +%s")).toBe("date +%%s");
    expect(imported("echo 100%")).toBe("echo 100%%");
    expect(imported("%F %R; echo %%")).toBe("%F %R; echo %%%%");
    expect(imported("echo %%F")).toBe("echo %%%F");
  });

  it("keeps type and number", () => {
    expect(fromFossil(entry("x", "before-commit", -3))).toEqual({
      ...hook("x", { type: "before-commit", sequence: -3 }),
      name: null,
    });
  });

  it("loses %A after a receipt, where Fossil pastes nothing, and keeps it before a commit", () => {
    expect(imported("cat %A-")).toBe("cat -");
    expect(imported("date +%%AF")).toBe("date +%%F");
    expect(imported("cat %A", "before-commit")).toBe("cat %A");
  });

  it("is left where it could not mean the same", () => {
    expect(imported("x", "commit-msg")).toBe('not: Fossil has no type "commit-msg" and never runs it');
    expect(imported(" ")).toBe("not: its command is empty");
    expect(imported("a\0b")).toBe("not: its command holds a NUL byte");
    expect(imported("a\ud800")).toBe("not: its command is no Unicode text");
    expect(imported("cat <<E\n%R\nE")).toMatch(/^not: %R at line 2, column 1 stands in or behind a here-document/);
    expect(imported("%A")).toMatch(/^not: nothing is left/);
  });
});

describe("a hook for Fossil", () => {
  it("has its percent signs single again", () => {
    expect(exported("date +%%s%x %%%F")).toBe("date +%s%x %%F");
  });

  it("is refused where Fossil has no way to say it", () => {
    expect(exported("date +%%F")).toBe("not: Fossil cannot write %%F: it would fill it in");
    expect(exported("echo %%%%R")).toBe("not: Fossil cannot write %%R: it would fill it in");
    expect(exported("cat %A")).toBe("not: Fossil gives after-receive hooks no %A");
    expect(exported(null)).toBe("not: it is a function of a program that embeds Gatepost");
    expect(exported("x", { type: "commit-msg" })).toBe("not: Fossil has no commit-msg hooks");
    expect(exported("x", { type: "disabled", wasType: "before-push" })).toBe("not: Fossil has no before-push hooks");
    expect(exported("x", { retries: 2, refs: ["trunk"] })).toBe("not: Fossil has no --retries, --ref");
    expect(exported("x", { stdin: "updates" })).toBe("not: Fossil has no --stdin");
  });

  it("goes out in a shell of its own before a commit, where Fossil would crash on it", () => {
    const out = (command: string) => exported(command, { type: "before-commit" });
    expect(out("make test")).toBe("make test");
    expect(out("cat %A | grep 'x'")).toBe("sh -c 'cat %A | grep '\\''x'\\'''");
    expect(out('test -n "$HOME"')).toBe("sh -c 'test -n \"$HOME\"'");
    expect(exported("a; b", { type: "disabled", wasType: "before-commit" })).toBe("sh -c 'a; b'");
    expect(exported("a; b")).toBe("a; b");
  });

  it("passes the check, or not, as it does in Fossil", () => {
    const part = fc.constantFrom("a", "$", "`", ";", "|", "&", "'", '"', "\\", " ", "'\\''", "%");
    const tail = fc.array(part, { maxLength: 8 }).map((parts) => parts.join("").trimEnd());
    // behind a "#", so that sh does nothing with them
    const commands = fc.sample(tail, { numRuns: 150, seed: 7 }).map((text) => `exit #${text}`);
    const allowed = commands.map((command) => {
      const { stdout } = world.run(["fossil", "test-fossil-system"], { env: fossilEnv, input: `${command}\n` });
      return stdout.includes("result: 0"); // else it has crashed, as a commit would
    });
    expect(commands.map(passesCheck)).toEqual(allowed);
    expect(new Set(allowed).size).toBe(2);
    expect(passesCheck("a\nb")).toBe(false);
  });
});

describe("there and back", () => {
  const piece = fc.constantFrom("%", "%%", "%F", "%R", "%A", "F", "R", "A", "x", " ", "'", '"', "\\", ";", "|");
  const text = fc.array(piece, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(""));
  const types = fc.constantFrom("after-receive", "before-commit", "disabled");

  it("ends at the entry it began with", () => {
    let compared = 0;
    fc.assert(
      fc.property(text, types, fc.integer(), (cmd, type, seq) => {
        const found = fromFossil({ cmd, type, seq });
        if ("why" in found || (type === "after-receive" && cmd.includes("%A"))) return;
        const back = toFossil(found);
        const wraps = type === "before-commit" && !passesCheck(cmd);
        if (!wraps) expect(back).toEqual({ cmd, type, seq });
        else expect(back).toMatchObject({ cmd: `sh -c '${cmd.replaceAll("'", "'\\''")}'` });
        compared += 1;
      }),
      { numRuns: 2000 },
    );
    expect(compared).toBeGreaterThan(300);
  });

  it("ends at the hook it began with, percent signs written double", () => {
    let compared = 0;
    const ours = fc
      .array(fc.constantFrom("%%", "%F", "%R", "F", "A", "x", " ", "'", ";"), { minLength: 1, maxLength: 12 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(ours, fc.constantFrom("after-receive", "disabled"), (command, type) => {
        const out = toFossil(hook(command, { type }));
        if ("why" in out) return;
        const back = fromFossil(out);
        if ("why" in back) return;
        expect(back).toEqual({ ...hook(command, { type }), name: null });
        compared += 1;
      }),
      { numRuns: 2000 },
    );
    expect(compared).toBeGreaterThan(300);
  });

  it("gives the shell the same words in Fossil and in Gatepost", () => {
    const words = fc
      .array(
        fc.constantFrom(
          "%R",
          '"%R"',
          "'%R'",
          "%R/x",
          '"a %R b"',
          "'%%'",
          "%s",
          "%%R",
          "\\%R",
          "'a;b'",
          "%A",
          "%%",
          "x%",
        ),
        { minLength: 1, maxLength: 6 },
      )
      .map((parts) => parts.join(" "));
    const auxiliary = world.at("aux.txt");
    fc.assert(
      fc.property(words, fc.constantFrom("before-commit", "disabled"), (list, type) => {
        const cmd = `printf '<'; echo ${list} | cat`;
        const found = fromFossil(entry(cmd, type));
        if ("why" in found || found.command === null) throw new Error(`${cmd} was not taken`);
        const substituted = substitute(found.command);
        if (!substituted.ok) throw new Error(substituted.reason);
        const ours = world.run(["sh", "-c", substituted.command], {
          env: { GATEPOST_REPOSITORY: repository, GATEPOST_AUX: auxiliary },
        });
        expect(ours.stdout).toBe(fossilRuns(cmd, auxiliary));
        const out = toFossil(found);
        if ("why" in out) throw new Error(out.why);
        expect(fossilRuns(out.cmd, auxiliary)).toBe(ours.stdout);
        expect(passesCheck(out.cmd) || type === "disabled").toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

/** What the shell prints that is given what Fossil makes of a command. */
function fossilRuns(cmd: string, auxiliary: string): string {
  fossil("hook", "edit", "--command", cmd, "0", "-R", repository);
  const line = fossil("hook", "test", "--dry-run", "--aux-file", auxiliary, "0", "-R", repository);
  return world.run(["sh", "-c", line.slice(0, -1)]).stdout;
}

describe("the order of gates", () => {
  it("is known to differ where Fossil sorts numbers as text", () => {
    expect(sortsAlike([10, 20, 30, 20])).toBe(true);
    expect(sortsAlike([9, 10])).toBe(false);
    expect(sortsAlike([-1, -5])).toBe(false);
  });
});
