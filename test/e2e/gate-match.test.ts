/** What a hook in a gate is for: --ref, --path and --stdin paths, of commits and of pushes. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fromText } from "../../src/core/bytes.ts";
import { matchRef } from "../../src/core/ref-pattern.ts";
import { refFunction } from "../../src/gate/ref-case.ts";
import { makeWorld, type Outcome, type World } from "../helpers/cli.ts";
import { type Gated, type Given, gated } from "../helpers/gates.ts";
import { SHELLS } from "../helpers/shells.ts";

let world: World;
let app: Gated;
let server: Gated;
let log: string;

beforeAll(() => {
  world = makeWorld();
  log = world.at("log");
  const path = world.workTree("app");
  server = gated(world, world.bare("target.git"));
  app = gated(world, path);
  git("remote", "add", "target", server.path);
  world.commit(path, { "one-more": "1\n" });
  world.commit(path, { "src/a.ts": "a\n", "src/deep/b.ts": "b\n", "doc/c.md": "c\n" });
});
afterAll(() => world.remove());
beforeEach(() => {
  app.hooks();
  server.hooks();
  git("reset", "-q", "--hard");
  git("checkout", "-q", "-f", "main");
  git("clean", "-fdq");
  app.records();
  server.records();
  fs.writeFileSync(log, "");
});

const run = (args: readonly string[], env: Record<string, string> = {}): Outcome =>
  world.run(["git", ...args], { cwd: app.path, env: { LOG: log, ...env } });
function git(...args: string[]): string {
  const { code, stdout, stderr } = run(args);
  expect({ code, stderr }, `git ${args.join(" ")}`).toEqual({ code: 0, stderr: "" });
  return stdout.trimEnd();
}
const commit = (...args: string[]): string => git("commit", "-q", "--allow-empty", "-m", "m", ...args);
function stage(files: Record<string, string | null>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(app.path, name);
    if (text === null) fs.rmSync(file);
    else fs.mkdirSync(join(file, ".."), { recursive: true });
    if (text !== null) fs.writeFileSync(file, text);
    git("--literal-pathspecs", "add", "--", name);
  }
}
const logged = (): string => fs.readFileSync(log, "utf8");
/** The hooks that ran since this was last asked, each by the word that `ran` gave it. */
function whoRan(): string[] {
  const words = logged().split("\n").slice(0, -1);
  fs.writeFileSync(log, "");
  return words;
}
const says = (word: string, more: Record<string, unknown> = {}): Given => ({
  command: `echo '${word}' >>"$LOG"`,
  ...more,
});
/** One hook for each of these values of an option; each says its value. */
const oneEach = (option: "ref" | "path", values: readonly string[], more: Record<string, unknown> = {}): Given[] =>
  values.map((value) => says(value, { [option]: [value], ...more }));

describe("--ref", () => {
  const patterns = [
    ...["main", "refs/heads/main", "release", "release/", "release/*", "*", "*/*", "**", "refs/heads/**", "rel*"],
    ...["release/[0-9].?", "main*", "refs/tags/v1", "v?", "**/x", "release/**", "Main", "mai", "release/**/x", "esac"],
  ];
  const expected = (ref: string) => patterns.filter((pattern) => matchRef(pattern, fromText(ref)));

  it.each(["main", "release", "release/1.2", "release/1.2/x", "x"])("of a commit is the branch: %s", (branch) => {
    app.hooks(...oneEach("ref", patterns));
    git("symbolic-ref", "HEAD", `refs/heads/${branch}`);
    commit();
    git("symbolic-ref", "HEAD", "refs/heads/main");
    git("update-ref", "-d", `refs/heads/${branch === "main" ? "none" : branch}`);
    const matching = expected(`refs/heads/${branch}`);
    expect(whoRan()).toEqual(matching);
    const [record = ""] = app.verdicts();
    expect(record.match(/skipped ref/g)).toHaveLength(patterns.length - matching.length);
  });

  it("of a commit is no branch when HEAD is detached, and in a rebase the branch that is rebased", () => {
    app.hooks(...oneEach("ref", ["*", "topic"]), ...oneEach("ref", ["main", "topic"], { type: "after-commit" }));
    git("checkout", "-q", "--detach");
    commit();
    expect(whoRan()).toEqual([]);
    git("checkout", "-q", "-b", "topic", "main");
    stage({ "src/topic": "t\n" });
    commit();
    expect(whoRan()).toEqual(["*", "topic", "topic"]);
    git("checkout", "-q", "main");
    stage({ other: "o\n" });
    commit();
    whoRan();
    git("checkout", "-q", "topic");
    const editors = { GIT_SEQUENCE_EDITOR: "sed -i 1s/pick/reword/", GIT_EDITOR: "true" };
    expect(run(["rebase", "-q", "-i", "main"], editors)).toMatchObject({ code: 0 });
    expect(whoRan(), "the pick, then the commit that rewords it").toEqual(["topic", "*", "topic", "topic"]);
    git("checkout", "-q", "main");
    git("branch", "-q", "-D", "topic");
  });

  it("of a push is the ref as it is called there, of new ones, updates, tags and deletions", () => {
    app.hooks(...oneEach("ref", patterns, { type: "before-push" }));
    server.hooks(
      ...oneEach("ref", patterns, { type: "before-receive" }),
      ...oneEach("ref", patterns, { type: "before-ref" }),
    );
    for (const [push, refs] of [
      [["main:refs/heads/release/1.2"], ["refs/heads/release/1.2"]],
      [
        ["main:refs/heads/main", "main:refs/tags/v1"],
        ["refs/heads/main", "refs/tags/v1"],
      ],
      [
        ["main~1:refs/heads/x", "main:refs/heads/a/b/x"],
        ["refs/heads/x", "refs/heads/a/b/x"],
      ],
      [
        [":refs/heads/x", ":refs/tags/v1"],
        ["refs/heads/x", "refs/tags/v1"],
      ],
    ] as const) {
      git("push", "-q", "target", ...push);
      const any = patterns.filter((pattern) => refs.some((ref) => matchRef(pattern, fromText(ref))));
      const each = refs.flatMap(expected);
      expect(whoRan()).toEqual([...any, ...any, ...each]); // before-push, before-receive, before-ref for each
    }
  });

  it("leaves the hook out of a push that has nothing to push", () => {
    git("push", "-q", "target", "main:refs/heads/same");
    app.hooks(says("any", { type: "before-push", ref: ["**"] }), says("always", { type: "before-push" }));
    git("push", "-q", "target", "main:refs/heads/same");
    expect(whoRan()).toEqual(["always"]);
    expect(app.verdicts()).toEqual(["before-push pass, 1 skipped ref, 2 pass 0"]);
  });

  describe.each(SHELLS.map((shell) => ({ shell, name: shell.join(" ") })))("in $name", ({ shell }) => {
    it("is judged as Gatepost judges it elsewhere", () => {
      const words = [
        "a",
        "ab",
        "b",
        "refs",
        "heads",
        "tags",
        "release",
        "1.2",
        "ä",
        "x-y",
        "$(touch canary)",
        "'",
        "A",
      ];
      const globs = [
        "*",
        "?",
        "a*",
        "*b",
        "[ab]",
        "[!a]",
        "[^a]",
        "[a-c]*",
        "[[:digit:]].*",
        "**x",
        "a?",
        "\\*",
        "x-?",
      ];
      const refs = [
        ...words.flatMap((one) => [one, `refs/heads/${one}`, `refs/tags/${one}`, `refs/notes/${one}`]),
        ...words.flatMap((one, n) => words.map((two) => `${n % 2 ? "refs/heads/" : "refs/tags/"}${one}/${two}`)),
        ...["refs/heads/a/b/c", "a/b/ab", "refs/heads/a/1.2/ab/x-y", "refs/heads/*", "refs/heads/a*/x", "refs/heads"],
      ];
      const tried = [
        ...[...words, ...globs].flatMap((one) => [one, `refs/heads/${one}`, `${one}/`, `a/${one}`, `${one}/b`]),
        ...globs.flatMap((one) => globs.map((two) => `${one}/${two}`)),
        ...["**", "a/**", "**/a", "a/**/b", "refs/**", "refs/heads/**/b", "**/", "/", "a//b", "refs/heads/", "refs/he"],
      ].filter((pattern) => !/\*\*.*[*?[\\]|[*?[\\].*\/\*\*/.test(pattern) || pattern === "**");
      const program = tried.map((pattern, n) => refFunction(`f${n}`, [pattern])).join("\n");
      const loop = `${program}
for ref; do
  n=0 line=
  while [ $n -lt ${tried.length} ]; do
    ! f$n "$ref" || line="$line $n"
    n=$((n + 1))
  done
  echo $line
done`;
      const [file = "sh", ...flags] = shell;
      const result = spawnSync(file, [...flags, "-c", loop, "sh", ...refs], {
        encoding: "utf8",
        cwd: world.at("user"),
        env: { PATH: process.env["PATH"], LC_ALL: "C", SHLVL: "1" }, // else bash takes this for a remote shell
      });
      expect(result.stderr).toBe("");
      const found = result.stdout.split("\n").map((line) => new Set(line.split(" ")));
      let matches = 0;
      const differ = refs.flatMap((ref, r) =>
        tried
          .filter((pattern, n) => {
            const wanted = matchRef(pattern, fromText(ref));
            if (wanted) matches += 1;
            return wanted !== found[r]?.has(String(n));
          })
          .map((pattern) => `${pattern} and ${ref}`),
      );
      expect(differ).toEqual([]);
      expect(matches).toBeGreaterThan(2000);
      expect(fs.readdirSync(world.at("user"))).not.toContain("canary");
    });
  });
});

describe("--path of a commit", () => {
  it("is judged by git, with all that its pathspecs can", () => {
    const specs = [
      "src",
      "src/*.ts",
      "*.ts",
      ":(glob)src/*.ts",
      "doc/c.md",
      ":(icase)DOC",
      "src/a",
      ":!doc",
      ":(top)src",
    ];
    const judged = (...args: string[]): string[] => {
      app.hooks(...oneEach("path", specs));
      commit(...args);
      return whoRan();
    };
    stage({ "src/deep/b.ts": "b2\n" });
    expect(judged()).toEqual(["src", "src/*.ts", "*.ts", ":!doc", ":(top)src"]);
    stage({ "doc/c.md": "c2\n" });
    expect(judged()).toEqual(["doc/c.md", ":(icase)DOC"]);
    stage({ "src/a.ts": null });
    expect(judged(), "a deletion counts").toEqual(["src", "src/*.ts", "*.ts", ":(glob)src/*.ts", ":!doc", ":(top)src"]);
    expect(judged(), "nothing is staged").toEqual([]);
    fs.writeFileSync(join(app.path, "doc/c.md"), "c3\n");
    stage({ "src/a.ts": "a\n" });
    expect(judged("doc/c.md"), "only what this commit takes").toEqual(["doc/c.md", ":(icase)DOC"]);
    fs.writeFileSync(join(app.path, "doc/c.md"), "c4\n");
    expect(judged("-a")).toEqual(specs.filter((spec) => spec !== "src/a"));
    stage({ "src/new.ts": "n\n" });
    expect(judged("--amend"), "against what is amended").toEqual([
      ...["src", "src/*.ts", "*.ts", ":(glob)src/*.ts", ":!doc", ":(top)src"],
    ]);
  });

  it("takes several: one that matches is enough, and what is excluded counts for all", () => {
    app.hooks(says("either", { path: ["doc", "*.ts"] }), says("but", { path: ["*", ":!src/deep"] }));
    stage({ "src/deep/b.ts": `${Math.random()}\n` });
    commit();
    expect(whoRan()).toEqual(["either"]);
  });

  it("means the repository's root in a folder below it, and works before the first commit and in a merge", () => {
    app.hooks(...oneEach("path", ["src", "only-side"]), says("message", { type: "commit-msg", path: ["only-side"] }));
    stage({ "src/a.ts": `${Math.random()}\n` });
    expect(world.run(["git", "commit", "-qm", "m"], { cwd: join(app.path, "src/deep"), env: { LOG: log } }).code).toBe(
      0,
    );
    expect(whoRan()).toEqual(["src"]);
    git("checkout", "-q", "--orphan", "first");
    commit();
    expect(whoRan(), "the first commit of a branch").toEqual(["src"]);
    git("checkout", "-q", "-B", "side", "main");
    stage({ "only-side": "s\n" });
    commit();
    git("checkout", "-q", "main");
    stage({ "src/a.ts": `${Math.random()}\n` });
    commit();
    whoRan();
    git("merge", "-q", "--no-edit", "side");
    expect(whoRan(), "what the merge brings").toEqual(["only-side", "message"]);
    git("branch", "-q", "-D", "side", "first");
  });

  it("runs no program that the repository configures for diffs, and heeds no setting of theirs", () => {
    const touch = `touch ${world.at("canary")} #`;
    fs.writeFileSync(join(app.path, ".git/info/attributes"), "* diff=x\n");
    const settings = { external: touch, "x.command": touch, "x.textconv": touch, relative: "true" };
    for (const [key, value] of Object.entries(settings)) git("config", `diff.${key}`, value);
    git("config", "core.pager", touch);
    git("config", "color.ui", "always");
    app.hooks(...oneEach("path", ["src"]), { stdin: "paths", command: 'tr "\\0" "\\n" >>"$LOG"' });
    stage({ "src/a.ts": `${Math.random()}\n`, "src/.first": `${Math.random()}\n` });
    const { code } = world.run(["git", "commit", "-qm", "m"], { cwd: join(app.path, "src"), env: { LOG: log } });
    fs.rmSync(join(app.path, ".git/info/attributes"));
    for (const section of ["diff", "diff.x", "color"]) git("config", "--remove-section", section);
    git("config", "--unset", "core.pager");
    expect([code, whoRan()]).toEqual([0, ["src", "src/.first", "src/a.ts"]]);
    expect(fs.existsSync(world.at("canary"))).toBe(false);
  });
});

describe("--stdin paths", () => {
  const odd = ["a b", "line\nbreak", "-n", "$(touch canary)", "'q' \"Q\"", "\\t", "*", ":(glob)x", "ä", "\x01"];
  const read = (): string[] => logged().split("\0").slice(0, -1);

  it("are the staged ones, as they are called, each ended by NUL", () => {
    app.hooks({ stdin: "paths", command: 'cat >>"$LOG"' });
    stage(Object.fromEntries(odd.map((name) => [`odd/${name}`, "x\n"])));
    commit();
    const sorted = odd.map((name) => `odd/${name}`).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(read()).toEqual(sorted);
    fs.writeFileSync(log, "");
    app.hooks({ stdin: "paths", dir: "odd", path: ["-n", ":(literal)*"], command: 'cat >>"$LOG"' });
    stage({ "odd/-n": "y\n", "odd/*": "y\n", "odd/a b": "y\n" });
    commit();
    expect(read()).toEqual(["*", "-n"]);
    expect(fs.existsSync(join(app.path, "canary"))).toBe(false);
  });

  it("leave deletions out, and of a rename they are the new name; where none is left the hook is skipped", () => {
    app.hooks({ stdin: "paths", command: 'cat >>"$LOG"' }, says("next"));
    stage({ "del/one": "1\n1\n1\n", "del/two": "2\n" });
    commit("--no-verify");
    git("mv", "del/one", "del/three");
    stage({ "del/two": null });
    commit();
    expect(logged()).toBe("del/three\0next\n");
    whoRan();
    stage({ "del/three": null });
    app.records();
    commit();
    expect(whoRan()).toEqual(["next"]);
    expect(app.verdicts()).toEqual(["before-commit pass, 1 skipped none, 2 pass 0"]);
  });

  it("are 5,000 where 5,000 are staged", () => {
    app.hooks({ stdin: "paths", command: 'tr -dc "\\0" | wc -c >>"$LOG"' });
    fs.mkdirSync(join(app.path, "many"));
    for (let n = 0; n < 5000; n++) fs.writeFileSync(join(app.path, "many", `a-file-with-quite-a-long-name-${n}`), "");
    git("add", "many");
    commit();
    expect(logged().trim()).toBe("5000");
    git("reset", "-q", "--hard", "HEAD~1");
  });

  it("are a copy of their own for each, and what the hook does not read does no harm", () => {
    stage({ one: `${Math.random()}\n` });
    app.hooks({ stdin: "paths", command: "exec <&-" }, { stdin: "paths", timeout: 20, command: 'xargs -0 >>"$LOG"' });
    commit();
    expect(whoRan()).toEqual(["one"]);
    expect(fs.readdirSync(join(app.home, "aux"))).toEqual([]);
  });
});

describe("--path and --stdin paths of a push", () => {
  const types = ["before-push", "before-receive", "before-ref"];
  beforeEach(() => {
    git("push", "-q", "--mirror", "target");
    git("fetch", "-q", "target");
    for (const type of types)
      (type === "before-push" ? app : server).hooks(
        ...types
          .filter((one) => (type === "before-push") === (one === "before-push"))
          .flatMap((one) => [
            says(`${one} doc`, { type: one, path: ["doc"] }),
            { type: one, stdin: "paths", path: [":!*.md"], command: 'xargs -0 echo paths >>"$LOG"' },
          ]),
      );
  });

  it("are those of the commits that are new there: of a new branch, an update, a branch of what was there", () => {
    git("checkout", "-q", "-b", "new");
    stage({ "src/a.ts": `${Math.random()}\n` });
    commit("--no-verify");
    stage({ "doc/c.md": `${Math.random()}\n`, "src/x y.ts": "x\n" });
    commit("--no-verify");
    git("push", "-q", "target", "new");
    expect(whoRan(), "new").toEqual(types.flatMap((type) => [`${type} doc`, "paths src/a.ts src/x y.ts"]));
    git("rm", "-q", "src/x y.ts");
    commit("--no-verify");
    git("push", "-q", "target", "new");
    expect(whoRan(), "only deleted").toEqual([]);
    stage({ "doc/c.md": `${Math.random()}\n` });
    commit("--no-verify");
    git("push", "-q", "target", "new");
    expect(whoRan(), "only doc").toEqual(types.map((type) => `${type} doc`));
    app.records();
    server.records();
    git("push", "-q", "target", "new:refs/heads/copy");
    expect(whoRan(), "nothing new").toEqual([]);
    expect(app.verdicts()).toEqual(["before-push pass, 1 skipped path, 2 skipped none"]);
    expect(server.verdicts()).toEqual([
      "before-receive pass, 1 skipped path, 2 skipped none",
      "before-ref pass, 3 skipped path, 4 skipped none",
    ]);
    git("push", "-q", "target", ":new", ":copy");
    expect(whoRan(), "deletions").toEqual([]);
    git("checkout", "-q", "main");
    git("branch", "-q", "-D", "new");
  });

  it("are the first ones of a repository that has none, and each once where two refs bring them", () => {
    const empty = gated(world, world.bare(`empty-${process.pid}.git`));
    empty.hooks({ type: "before-receive", stdin: "paths", path: ["src/*"], command: 'xargs -0 echo paths >>"$LOG"' });
    git("push", "-q", "--no-verify", empty.path, "main:refs/heads/main", "main:refs/heads/second");
    const paths = git("ls-tree", "-r", "--name-only", "main", "src").split("\n").join(" ");
    expect(whoRan()).toEqual([`paths ${paths}`]);
  });
});
