/** lefthook's configuration as hooks, against the real lefthook. */
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { type Importing, importing, type Peers, peers } from "./import-fixture.ts";

const world = makeWorld();
let programs: Peers | null = null;
/** Writes its arguments to the log, one a line. */
const show = world.at("show");
beforeAll(async () => {
  programs = await peers();
  fs.writeFileSync(show, '#!/bin/sh\nfor word do printf "%s\\n" "$word" >>"$LOG"; done\n', { mode: 0o755 });
}, 130_000);
afterAll(() => world.remove());

/** Commits with the real lefthook, imports, and commits the same in the same state with Gatepost's own hooks. */
function bothWays(
  app: Importing,
  { lefthook }: Peers,
  config: string,
  files: Record<string, string>,
  messages = ["m"],
) {
  app.write("lefthook.yml", config);
  expect(world.run([lefthook, "install"], { cwd: app.root }).code).toBe(0);
  const before = app.commit().outcome.code === 0 ? world.git(["rev-parse", "HEAD"], { cwd: app.root }) : "";
  const commits = () =>
    messages.map((message) => {
      const { log, outcome } = app.commit(files, message);
      if (before !== "") world.git(["reset", "-q", "--hard", before], { cwd: app.root });
      return { log, code: outcome.code };
    });
  const theirs = commits();
  const refused = app.run("lefthook");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("First type: lefthook uninstall")]);
  expect(world.run([lefthook, "uninstall"], { cwd: app.root }).code).toBe(0);
  const imported = app.run("lefthook");
  expect(imported.code, imported.stderr).toBe(0);
  return { theirs, ours: commits(), imported };
}

describe("hook import --from lefthook", () => {
  it("runs commands, scripts and jobs in lefthook's order, with its arguments, and refuses what it refuses", ({
    skip,
  }) => {
    if (programs === null) return skip("lefthook cannot be had from npm");
    const app = importing(world, "order");
    const config = `
templates: { tool: ${show} }
pre-commit:
  commands:
    beta: { run: "${show} beta" }
    alpha: { run: "{tool} alpha 100%F %%" }
    10-late: { run: "${show} 10" }
    2-early: { run: "${show} 2" }
    urgent: { priority: 5, run: "${show} urgent" }
    first: { priority: 1, run: "${show} first", env: { UNUSED: "x" } }
    named: { run: "${show} {lefthook_job_name} \\"$A\\"", env: { A: "say \\"$USER\\" \`x\` \${USER}" } }
  scripts:
    own.sh: { runner: sh }
    direct: {}
  jobs:
    - run: ${show} job
    - env: { G: g }
      group: { jobs: [{ run: "${show} $G 1" }, { run: "${show} $G 2" }] }
commit-msg:
  commands:
    wip: { run: "! grep -q WIP {1}" }
    words: { run: '${show} {1} "{1}" "to {0}" {0} && exit 0' }
prepare-commit-msg:
  commands: { source: { run: "${show} {2}" } }
`;
    app.write(".lefthook/pre-commit/own.sh", `${show} own "$#"\n`);
    app.write(".lefthook/pre-commit/direct", `#!/bin/sh\n${show} direct "$#"\n`);
    const { theirs, ours, imported } = bothWays(app, programs, config, { "a.txt": "1" }, ["m", "WIP"]);
    expect(theirs[0]?.log.slice(0, 5)).toEqual(["job", "g", "1", "g", "2"]);
    expect(ours).toEqual([theirs[0], { ...theirs[1], log: expect.any(Array) }]);
    expect(imported.stderr).not.toContain("Not carried over");
  });

  it("hands the same paths to the same commands, whatever they are called", ({ skip }) => {
    if (programs === null) return skip("lefthook cannot be had from npm");
    const app = importing(world, "paths");
    const rules = [
      'glob: "*.js"',
      'glob: "**/*.js"',
      'glob: "web/*.js"',
      'glob: "web/**/*.js"',
      'glob: ["*.ts", "docs/*"]',
      'glob: "*.{js,{c,m}ts,[tm]s}"',
      'glob: "{web,docs}/*.?s"',
      'glob: "*[!s]"',
      'glob: "src/*"\n      exclude: ["*touch*"]',
      'exclude: ["*.js", "docs/*"]',
      "root: web/",
      'root: web/\n      glob: "*.js"',
      'root: web\n      glob: "web/src/*.ts"',
      'root: web\n      exclude: ["web/src/*"]',
    ];
    const config = `pre-commit:\n  commands:\n${rules
      .map(
        (rule, n) => `    c${n}:\n      priority: ${n + 1}\n      ${rule}\n      run: ${show} "== ${n}" {staged_files}`,
      )
      .join("\n")}\n`;
    const names = [
      "a.js",
      "B.JS",
      "web/b.js",
      "web/src/c.ts",
      "web/src/d.js",
      "web/x  y.js",
      "web/it's.css",
      "docs/r.md",
    ];
    const hostile = ["-x.js", "[a].js", "src/$(touch canary).js", 'src/"q".cts', "src/`touch canary`.mts", "w{eb}.js"];
    const files = Object.fromEntries([...names, ...hostile].map((name) => [name, name]));
    const { theirs, ours, imported } = bothWays(app, programs, config, files);
    expect(imported.stderr).not.toContain("Not carried over");
    const sets = ({ log }: { log: string[] } = { log: [] }) =>
      log
        .join("\n")
        .split("== ")
        .slice(1)
        .map((part) =>
          [
            ...new Set(
              part
                .trim()
                .split("\n")
                .map((path) => path.replace(/^\.\//, "")),
            ),
          ].sort(),
        );
    expect(sets(theirs[0])).toHaveLength(rules.length);
    expect(sets(ours[0])).toEqual(sets(theirs[0]));
    expect(ours[0]?.log).toContain("./-x.js");
    expect(fs.existsSync(`${app.root}/canary`)).toBe(false);
  });

  it("takes doublestar globs as lefthook does with glob_matcher", ({ skip }) => {
    if (programs === null) return skip("lefthook cannot be had from npm");
    const app = importing(world, "stars");
    const globs = ["*.js", "**/*.js", "web/*.js", "web/**", "**/src/*"];
    const config = `glob_matcher: doublestar\npre-commit:\n  commands:\n${globs
      .map((glob, n) => `    c${n}: { priority: ${n + 1}, glob: "${glob}", run: "${show} '== ${n}' {staged_files}" }`)
      .join("\n")}\n`;
    const files = Object.fromEntries(["a.js", "web/b.js", "web/src/c.JS", "src/d"].map((name) => [name, name]));
    const { theirs, ours } = bothWays(app, programs, config, files);
    expect(theirs[0]?.log).toContain("web/src/c.JS");
    expect(ours).toEqual(theirs);
  });

  it("runs what stands in quotes and pipes with the paths as words", ({ skip }) => {
    if (programs === null) return skip("lefthook cannot be had from npm");
    const app = importing(world, "shell");
    const config = `
pre-commit:
  commands:
    a: { run: 'test -n "x" && ${show} {staged_files} | cat && ${show} end' }
    b: { run: "${show} '{staged_files}'" }
    c: { run: '${show} "it''s" {staged_files} last # don''t' }
`;
    const { theirs, ours } = bothWays(app, programs, config, { "x y": "1", z$z: "2" });
    expect(theirs[0]?.log).toHaveLength(9);
    expect(ours).toEqual(theirs);
  });

  it("hands the pushed paths to what asked lefthook for them", ({ skip }) => {
    if (programs === null) return skip("lefthook cannot be had from npm");
    const server = world.bare("server.git");
    const app = importing(world, "push");
    app.write("lefthook.yml", `pre-push:\n  commands:\n    a: { glob: "*.js", run: "${show} {push_files}" }\n`);
    app.commit({ "old.js": "1" });
    world.git(["remote", "add", "origin", server], { cwd: app.root });
    world.git(["push", "-q", "-u", "origin", "main"], { cwd: app.root });
    expect(world.run([programs.lefthook, "install"], { cwd: app.root }).code).toBe(0);
    const push = (name: string) => {
      app.commit({ [`${name}.js`]: name, [`${name}.ts`]: name });
      app.commit({ [`${name} 2.js`]: name });
      const log = world.at("push.log");
      fs.rmSync(log, { force: true });
      world.git(["push", "-q"], { cwd: app.root, env: { LOG: log } });
      return fs.readFileSync(log, "utf8");
    };
    expect(push("a")).toBe("a 2.js\na.js\n");
    expect(world.run([programs.lefthook, "uninstall"], { cwd: app.root }).code).toBe(0);
    expect(app.run("lefthook").code).toBe(0);
    expect(push("b")).toBe("b 2.js\nb.js\n");
  });

  it("leaves out, with the reason, what would run on other files or not at all", () => {
    const app = importing(world, "left");
    app.write(
      "lefthook.yml",
      `
extends: [other.yml]
pre-commit:
  skip: [merge]
  commands:
    a: { run: "x --files={staged_files}" }
    b: { run: 'sh -c "x {staged_files}"' }
    c: { run: "x {all_files}" }
    d: { run: "x {push_files}" }
    e: { run: "x", files: "git ls-files" }
    f: { run: "x", file_types: text }
    g: { run: "x {staged_files}", glob: "a/*.js", root: web }
    h: { run: "x {staged_files}", glob: "*.{js" }
    i: { run: "x", exclude: "(a|b)$" }
    j: { run: "x", env: { "a b": 1 } }
    k: { glob: "*.js" }
    l: { run: "if" }
    m: { run: "x {1} {staged_files}" }
  scripts: { gone.sh: { runner: sh } }
pre-merge-commit: { commands: { a: { run: x } } }
ours: { commands: { a: { run: x } } }
`,
    );
    app.write("lefthook-local.yml", "");
    const { hooks, left } = app.plan("lefthook");
    expect(hooks).toEqual([]);
    expect(left.pop()).toEqual({ what: "l (before-commit)", why: expect.stringContaining("sh cannot read") });
    expect(left.map(({ what, why }) => `${what}: ${why}`)).toMatchInlineSnapshot(`
      [
        "extends: other files are not read; import them one by one",
        "pre-commit.skip: there is no such condition; --no-verify or GATEPOST_SKIP leave hooks out",
        "pre-commit > a: {staged_files} stands in quotes or inside a word, where sh would read what it holds",
        "pre-commit > b: {staged_files} stands in quotes or inside a word, where sh would read what it holds",
        "pre-commit > c: {all_files} is not known to Gatepost at pre-commit",
        "pre-commit > d: {push_files} is not known to Gatepost at pre-commit",
        "pre-commit > e: files: the paths of a command cannot be handed over; let the hook's command ask for them",
        "pre-commit > f: file_types: Git has no pathspec for what is in a file",
        "pre-commit > g: glob a/*.js within root web: no pathspec matches the same paths",
        "pre-commit > h: glob *.{js: no pathspec matches the same paths",
        "pre-commit > i: exclude (a|b)$: no pathspec matches the same paths",
        "pre-commit > j: env: a name or value in it is none for sh",
        "pre-commit > k: it has no run, script or group, or more than one",
        "pre-commit > m: paths beside arguments of Git: both would be the words of the command",
        "pre-commit > gone.sh: there is no file .lefthook/pre-commit/gone.sh",
        "pre-merge-commit: the hooks of pre-commit run at merges as well",
        "ours: Gatepost has no type for it",
        "lefthook-local.yml: one person's own changes; add them with gatepost hook edit",
      ]
    `);
  });

  it("carries over what Gatepost has, and names what it drops", () => {
    const app = importing(world, "options");
    app.write(
      "lefthook.json",
      JSON.stringify({
        "pre-commit": {
          parallel: true,
          commands: {
            a: { run: "x", timeout: "1m30s", stage_fixed: true, only: [{ ref: "main" }, { ref: "rel/*" }] },
            b: { run: "y", skip: true, tags: ["slow"] },
            c: { run: "z", skip: ["merge"], interactive: true },
            d: { run: "w {staged_files}", root: "web", glob: "*.js" },
            e: { run: "npx eslint --fix {staged_files}" },
          },
        },
        "pre-push": { exclude_tags: ["slow"], commands: { a: { run: "x" }, b: { run: "x", tags: "slow" } } },
      }),
    );
    const common = { repository: "options", type: "before-commit", parallel: true };
    expect(app.plan("lefthook")).toEqual({
      hooks: [
        { ...common, name: "a", sequence: 10, command: "x", timeout: 90, ref: ["main", "rel/"] },
        { ...common, name: "b", type: "disabled", wasType: "before-commit", sequence: 20, command: "y" },
        { ...common, name: "c", sequence: 30, command: "z" },
        {
          ...{ ...common, name: "d", sequence: 40, stdin: "paths", dir: "web", path: [":(top,icase)web/*.js"] },
          command: expect.stringContaining('\nw "$@"'),
        },
        { ...common, name: "e", sequence: 50, stdin: "paths", command: "xargs -0 -r npx eslint --fix --" },
        { name: "a-2", repository: "options", type: "before-push", sequence: 10, command: "x" },
      ],
      left: [
        { what: "pre-commit > a: stage_fixed", why: expect.any(String) },
        { what: "pre-commit > c: interactive", why: expect.any(String) },
        { what: "pre-commit > c: skip", why: expect.any(String) },
        { what: "pre-push > b", why: "exclude_tags switches it off (slow)" },
      ],
      next: [],
    });
  });

  it("keeps groups apart: neighbours of two parallel groups do not run together", () => {
    const app = importing(world, "groups");
    const group = (parallel: boolean, ...runs: string[]) => ({
      group: { parallel, jobs: runs.map((run) => ({ run })) },
    });
    app.write(
      "lefthook.yml",
      JSON.stringify({
        "pre-commit": { jobs: [group(true, "a", "b"), group(true, "c", "d"), { run: "e" }, group(true, "f")] },
      }),
    );
    expect(app.plan("lefthook").hooks.map(({ command, parallel }) => [command, parallel ?? false])).toEqual([
      ["a", true],
      ["b", true],
      ["c", false],
      ["d", false],
      ["e", false],
      ["f", true],
    ]);
  });

  it.for([
    ["pre-commit: [", "cannot be read: "],
    ["- a", "it holds no mapping"],
    [
      `a: &a [x]\n${Array.from({ length: 9 }, (_, n) => `${"abcdefghij"[n + 1]}: &${"abcdefghij"[n + 1]} [${Array(9).fill(`*${"abcdefghij"[n]}`)}]`).join("\n")}`,
      "alias",
    ],
  ] as const)("refuses a file that it cannot read, and changes nothing: %s", ([text, reason], { task }) => {
    const app = importing(world, `bad-${task.id.replace(/\W/g, "")}`);
    app.write("lefthook.yml", text);
    const { code, stderr } = app.run("lefthook");
    expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
    expect(app.hook("list", "--json").stdout).not.toContain("command");
  });
});
