/**
 * Whatever a stranger chooses (names of refs and files, authors, messages, paths, push options, configuration,
 * environment) is data to a gate. Each test leaves a trap that makes a file called `canary` if any of it is run. The
 * numbers are the rows of the fault catalogue; git, its shell and the gates are the real ones.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { World } from "../helpers/cli.ts";
import type { Gated } from "../helpers/gates.ts";
import { commits, inFile, makeTraps, pushes, RAW, requireNoCanary } from "./gate-traps.ts";

const TOUCH = "touch${IFS}canary";
/** Names that git accepts as a branch, and what a shell, printf or a terminal would make of them. */
const NAMES = [
  `$(${TOUCH})`,
  `\`${TOUCH}\``,
  `a;${TOUCH}`,
  `a|${TOUCH}`,
  `a&&${TOUCH}`,
  `a&${TOUCH}`,
  `"$(${TOUCH})"`,
  `'$(${TOUCH})'`,
  `';${TOUCH};'`,
  `)${TOUCH}(`,
  `<x>`,
  ">canary",
  "%s%n%R%A",
  "#hash",
  "$HOME",
  "!x",
  "{a,b}",
  "ü€",
  "-dash",
  "--output=canary",
  "_gatepost_done",
  "INPUT",
];

let world: World;
beforeEach(() => {
  world = makeTraps();
});
afterEach(() => requireNoCanary(world));

/** Stores what the gates have recorded, and everything that is shown of it. */
function shown(repository: Gated): { table: string; json: { runs: { gate: Record<string, unknown> }[] } } {
  const call = (...args: string[]) => world.gatepost(["runs", ...args], { cwd: repository.path });
  const [table, json, failed] = [call(), call("--json", "--limit", "500"), call("--refused")];
  const ids = (JSON.parse(json.stdout) as { runs: { id: string }[] }).runs.slice(0, 2).map(({ id }) => id);
  for (const { stdout, stderr } of [table, json, failed, ...ids.map((id) => call("show", id))])
    expect([stdout + stderr].filter((text) => RAW.test(text))).toEqual([]);
  return { table: table.stdout, json: JSON.parse(json.stdout) };
}

describe("a name that strangers choose", () => {
  it("G1: of a ref that is pushed is data to the gates of the receiving side", () => {
    const { server, clone } = pushes(world);
    server.hooks(
      { type: "before-receive", command: 'cat >>"$GATEPOST_REPOSITORY/seen"' },
      { type: "before-receive", command: "cat %A >>%R/seen-aux", ref: ["*", "x/**"] },
      { type: "before-receive", command: "cat >>%R/seen-paths", path: ["a.txt"], stdin: "paths" },
      { type: "before-ref", command: 'printf "%s\\n" "$1" >>%R/seen-refs; cat %A >>%R/seen-facts', ref: ["*"] },
    );
    const refs = NAMES.map((name) => `refs/heads/${name}`);
    world.git(["push", "-q", "origin", ...refs.map((ref) => `HEAD:${ref}`)], { cwd: clone });
    const bytes = refs.map((ref) => Buffer.from(ref).toString("latin1"));
    const names = (text: string) =>
      [
        ...new Set(
          text
            .trimEnd()
            .split("\n")
            .map((line) => line.split(" ").at(-1) ?? ""),
        ),
      ].sort();
    for (const file of ["seen", "seen-aux", "seen-refs"])
      expect(names(inFile(world, server, file)), file).toEqual([...bytes].sort());
    expect(inFile(world, server, "seen-paths")).toBe("a.txt\0");
    const updates = shown(server).json.runs.flatMap(({ gate }) => gate["updates"] as { ref: string }[]);
    expect(new Set(updates.map(({ ref }) => ref))).toEqual(new Set(refs));
  });

  it("G1: of the branch that is committed to and pushed is data to local gates", () => {
    const app = commits(world);
    const bare = world.bare();
    app.hooks(
      { command: "cat %A >>%R/seen", ref: ["*"] },
      { type: "before-push", command: "cat >>%R/seen-push; cat %A >>%R/seen-aux", ref: ["*"], path: ["."] },
    );
    for (const name of NAMES) {
      world.git(["checkout", "-q", "-b", "next"], { cwd: app.path });
      world.git(["symbolic-ref", "HEAD", `refs/heads/${name}`], { cwd: app.path });
      world.git(["update-ref", `refs/heads/${name}`, "next"], { cwd: app.path });
      world.commit(app.path, {}, name);
      world.git(["push", "-q", bare, `HEAD:refs/heads/${name}`], { cwd: app.path });
      world.git(["branch", "-q", "-D", "next"], { cwd: app.path });
    }
    const bytes = NAMES.map((name) => Buffer.from(name).toString("latin1"));
    expect([...inFile(world, app, "seen").matchAll(/^branch (.*)$/gm)].map(([, name]) => name)).toEqual(bytes);
    expect([...inFile(world, app, "seen-push").matchAll(/ refs\/heads\/(\S+) 0+$/gm)].map(([, name]) => name)).toEqual(
      bytes,
    );
    shown(app);
  });

  it("G1: of what is pushed may have blanks, and the gate still finds the ref and the commits", () => {
    const app = commits(world);
    world.commit(app.path, { "b.txt": "b\n" });
    const bare = world.bare();
    app.hooks(
      { type: "before-push", command: "exit 3", ref: ["other"] },
      { type: "before-push", command: "exit 4", ref: ["main"], path: ["b.txt"] },
    );
    const { code } = world.run(["git", "push", bare, "HEAD@{0 seconds ago}:refs/heads/main"], { cwd: app.path });
    expect([code === 0, app.verdicts()]).toEqual([false, ["before-push refused, 1 skipped ref, 2 refused 4"]]);
  });

  it("G2: of a file reaches hooks byte for byte, NUL between them, and quoted in the description", () => {
    const app = commits(world);
    const files = [
      "new\nline",
      "tab\t",
      "-dash",
      "--output=canary",
      `$(${TOUCH})`,
      'q"uote',
      "back\\slash",
      "\xff\xfe",
      "cr\r",
      "\x1b[2J",
      " ",
    ];
    for (const file of files) fs.writeFileSync(Buffer.from(`${app.path}/${file}`, "latin1"), "x\n");
    app.hooks(
      { command: "cat >%R/seen", stdin: "paths" },
      { command: "cat >%R/seen-some", stdin: "paths", path: ["*e*", "-*"] },
      { command: "cat %A >%R/seen-aux", path: [":(literal)$(touch${IFS}canary)"] },
      { command: "xargs -0 ls -- >/dev/null", stdin: "paths" },
    );
    world.git(["add", "-A"], { cwd: app.path });
    world.git(["commit", "-q", "-m", "m"], { cwd: app.path });
    expect(app.verdicts()).toEqual(["before-commit pass, 1 pass 0, 2 pass 0, 3 pass 0, 4 pass 0"]);
    expect(inFile(world, app, "seen").split("\0").sort()).toEqual(["", ...files].sort());
    const some = files.filter((name) => /e|^-/.test(name));
    expect(inFile(world, app, "seen-some").split("\0").sort()).toEqual(["", ...some].sort());
    const lines = inFile(world, app, "seen-aux")
      .split("\n")
      .filter((line) => line.startsWith("ADDED"));
    expect(lines).toHaveLength(files.length);
    expect(lines).toContain('ADDED      "new\\nline"');
    const { server, clone } = pushes(world);
    server.hooks({ type: "before-receive", command: "cat >%R/seen", stdin: "paths" });
    world.git(["fetch", "-q", app.path, "main"], { cwd: clone });
    world.git(["push", "-q", "origin", "FETCH_HEAD:refs/heads/main"], { cwd: clone });
    expect(inFile(world, server, "seen").split("\0").sort()).toEqual(["", "a.txt", ...files].sort());
  });

  it("G3: text of authors and messages changes no record, no terminal and no other record", () => {
    const app = commits(world);
    app.hooks({ type: "commit-msg", command: 'wc -c <"$1" >>%R/seen' }, { command: "cat %A >>%R/seen-aux" }, "true");
    const wild = "\x1b[2J\x1b]0;x\x07</script>\r\u202egnp $(touch canary) `touch canary` 'q' \"r\" \\";
    const commit = (env: Record<string, string>, message: string | Buffer) =>
      world.git(["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"], {
        cwd: app.path,
        env,
        input: message,
      });
    commit({ GIT_AUTHOR_NAME: wild, GIT_AUTHOR_EMAIL: wild }, wild);
    commit({ GIT_AUTHOR_NAME: "x".repeat(100_000), GIT_AUTHOR_EMAIL: "e\nverdict broken\nend 0" }, wild.repeat(20_000));
    const records = app.records();
    expect(records.map(({ type, verdict }) => `${type} ${verdict}`).sort()).toEqual([
      ...["before-commit pass", "before-commit pass", "commit-msg pass", "commit-msg pass"],
    ]);
    expect(records.filter(({ authorName }) => authorName?.length === 100_000)).toHaveLength(2);
    expect(inFile(world, app, "seen").trim().split("\n").map(Number)).toEqual(
      [1, 20_000].map((n) => Buffer.byteLength(wild) * n),
    );
    commit({ GIT_AUTHOR_NAME: wild, GIT_AUTHOR_EMAIL: wild }, wild);
    const { table, json } = shown(app);
    expect(table).toContain("\\u202egnp");
    expect(JSON.stringify(json)).toContain("\\\\u202egnp");
  });

  it("G3: a newline in what a caller exports begins no line of a record", () => {
    const app = commits(world);
    app.hooks({ type: "commit-msg", command: "true" });
    world.git(["checkout", "-q", "-b", "side"], { cwd: app.path });
    world.commit(app.path, { "b.txt": "b\n" });
    world.git(["checkout", "-q", "main"], { cwd: app.path });
    world.commit(app.path, { "c.txt": "c\n" });
    app.records();
    const lies = "x\nverdict broken\nend 0\n\ngatepost 1\nkind gate";
    for (const name of ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GL_USER", "REMOTE_USER"])
      world.run([".git/hooks/commit-msg", ".git/HEAD"], { cwd: app.path, env: { [name]: lies } });
    expect(app.verdicts()).toEqual(Array.from({ length: 5 }, () => "commit-msg pass, 1 pass 0"));
  });

  it.each([
    ["blanks, quotes and $(touch canary)", `a b "$(touch canary)" 'q' \`touch canary\`;#`],
    ["a percent sign", "100%R %A %F %%"],
    ["a dash at its start", "-x"],
    ["a colon and a backslash", "c:\\n"],
    ["a control character", "esc\x1b[2J"],
    ["200 bytes that are not ASCII", "\u00fc\u20ac".repeat(40)],
    ["a star and brackets", "*[a]?"],
  ])("G4: of a repository may have %s", (_, name) => {
    const app = commits(world, name);
    app.hooks(
      { command: 'test -d %R && test "$GATEPOST_REPOSITORY" = "$PWD/.git" && cat %A >"$GATEPOST_REPOSITORY/seen"' },
      { command: "cat >%R/seen-paths", stdin: "paths", dir: "sub" },
      { command: "echo '%R' \"%R\" >/dev/null", timeout: 30, parallel: true },
      { command: "cd %R && test -f HEAD", parallel: true },
    );
    world.commit(app.path, { "sub/b.txt": "b\n" });
    expect(app.verdicts()).toEqual(["before-commit pass, 1 pass 0, 2 pass 0, 3 pass 0, 4 pass 0"]);
    expect(inFile(world, app, "seen-paths")).toBe("b.txt\0");
    world.commit(app.path, { "sub/c.txt": "c\n" });
    expect(shown(app).json.runs).toHaveLength(4);
  });

  it("G4: of a repository with a newline in its path is refused when it is registered, with the reason", () => {
    const { code, stderr } = world.gatepost(["init"], { cwd: world.workTree("new\nline") });
    expect([code === 0, stderr.split("\n")[0]]).toEqual([
      false,
      expect.stringContaining("has a newline or is not UTF-8"),
    ]);
  });

  it("G4: of a repository that is not UTF-8 works, or is refused when it is registered", () => {
    const script = `d=$(printf 'x\\377y'); git init -q "$d" && cd "$d" && "$0" "$1" init`;
    const { code, stderr } = world.run([
      "sh",
      "-c",
      script,
      process.execPath,
      join(import.meta.dirname, "../../bin/gatepost"),
    ]);
    expect(code === 0 ? "" : stderr).not.toMatch(RAW);
    if (code !== 0) expect(stderr).toMatch(/^gatepost: .+/);
  });

  it("G5: push options reach hooks in %A alone, a line each, and are run by nobody", () => {
    const { server, clone } = pushes(world);
    server.hooks({ type: "before-receive", command: "cat %A >%R/seen" });
    const options = [
      "a;touch canary",
      "$(touch canary)",
      "`touch canary`",
      "--output=canary",
      "k=v=w",
      "",
      "\x1b[2J",
      "user root",
    ];
    world.git(["push", "-q", ...options.flatMap((option) => ["-o", option]), "origin", "HEAD:refs/heads/main"], {
      cwd: clone,
    });
    const seen = inFile(world, server, "seen")
      .split("\n")
      .filter((line) => line.startsWith("option"));
    expect(seen).toEqual(options.filter((option) => option !== "").map((option) => `option ${option}`));
    expect(server.verdicts()).toEqual(["before-receive pass, 1 pass 0"]);
  });

  it("G6: a hash or ref that begins with a dash is no option of git", () => {
    const { server, clone } = pushes(world);
    world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
    const head = world.git(["rev-parse", "HEAD"], { cwd: clone });
    const call = (line: string) => {
      const options = { cwd: server.path, input: `${line}\n`, env: { GIT_DIR: "." } };
      const { code, stderr } = world.run(["hooks/pre-receive"], options);
      return `${code} ${/what git handed over could not be understood/.exec(stderr)?.[0] ?? stderr}`;
    };
    const lines = [
      `${"0".repeat(40)} --output=canary refs/heads/a`,
      `--output=canary ${head} refs/heads/a`,
      "-x -x -x",
      "--output=canary --output=canary --output=canary",
      `:/x ${head} refs/heads/a`,
      `HEAD ${head} refs/heads/a`,
      `${head} refs/heads/a`,
    ];
    for (const option of [{ path: ["a.txt"] }, { stdin: "paths" }] as const) {
      server.hooks({ type: "before-receive", command: "cat >/dev/null", ...option });
      expect(lines.map(call)).toEqual(lines.map(() => "1 what git handed over could not be understood"));
      expect(call(`${"0".repeat(40)} ${head} refs/heads/a`)).toBe("0 ");
    }
  });
});
