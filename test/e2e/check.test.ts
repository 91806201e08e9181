/**
 * `gatepost check`: the hooks of gatepost.json and of a home judge commits that are there, as in CI. In every test the
 * repository, its work tree and its index are the same bytes afterwards, and the temporary folder is empty.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";

let world: World;
let work: string;
let temporary: string;

beforeEach(() => {
  world = makeWorld();
  work = world.workTree("work");
  temporary = world.at("tmp");
  fs.mkdirSync(temporary);
});
afterEach(() => world.remove());

/** All files of a folder, with their content. */
function picture(folder: string): Map<string, string> {
  const files = (fs.readdirSync(folder, { recursive: true }) as string[]).map((name) => join(folder, name));
  return new Map(
    files.filter((file) => fs.statSync(file).isFile()).map((file) => [file, fs.readFileSync(file, "latin1")]),
  );
}

/** Checks, and holds that nothing was changed or left. */
function check(args: readonly string[], { at = work, env = {} }: { at?: string; env?: Record<string, string> } = {}) {
  const before = picture(at);
  const outcome: Outcome = world.gatepost(["check", ...args], { cwd: at, env: { TMPDIR: temporary, ...env } });
  expect(picture(at)).toEqual(before);
  expect(fs.readdirSync(temporary)).toEqual([]);
  return outcome;
}

const ticket = {
  name: "ticket",
  type: "commit-msg",
  command: 'grep -q "^APP-[0-9]" %A || { echo "start with a ticket, such as APP-7"; exit 1; }',
};
const words = { type: "before-commit", command: "! git grep -n FIXME -- '*.txt'" };
const team = (...hooks: readonly Record<string, unknown>[]): Record<string, string> => ({
  "gatepost.json": JSON.stringify({ gatepost: 1, hooks }),
});
const commit = (message: string, files: Readonly<Record<string, string>> = {}, at = work): string =>
  world.commit(at, files, message);
const short = (id: string): string => id.slice(0, 10);

describe("gatepost check", () => {
  it("judges each commit of a fresh clone by gatepost.json, and says which was refused by what", () => {
    commit("APP-1 begin", team(ticket, words));
    const bad = commit("a fix", { "a.txt": "FIXME\n" });
    const worse = commit("APP-3 more", { "b.txt": "b\n" });
    commit("APP-4 mended", { "a.txt": "done\n" });
    const clone = world.clone(work, "clone");
    expect(check(["--range", "origin/main~3..HEAD"], { at: clone })).toEqual({
      stdout:
        `${short(bad)} a fix\n  by alice <alice@example.org>\n` +
        "  commit-msg hook 1 (ticket) of gatepost.json: exit 1\n    start with a ticket, such as APP-7\n" +
        "  before-commit hook 2 of gatepost.json: exit 1\n    a.txt:1:FIXME\n\n" +
        `${short(worse)} APP-3 more\n  by alice <alice@example.org>\n` +
        "  before-commit hook 2 of gatepost.json: exit 1\n    a.txt:1:FIXME\n\n" +
        "3 commits of origin/main~3..HEAD checked by 2 hooks: 1 passed, 2 refused.\n",
      stderr: "",
      code: 1,
    });
    expect(check(["--range", "HEAD"], { at: clone })).toMatchObject({
      stdout: "1 commit of HEAD checked by 2 hooks: 1 passed, 0 refused.\n",
      code: 0,
    });
    expect(check([], { at: clone }).stdout).toBe("@{upstream}..HEAD has no commits: nothing to check.\n");
    commit("no ticket", {}, clone);
    expect(check([], { at: clone })).toMatchObject({ code: 1, stdout: expect.stringContaining("1 refused.") });
    expect(fs.existsSync(join(clone, ".git", "gatepost"))).toBe(false);
    expect(fs.existsSync(world.at("user", "state"))).toBe(false);
  });

  it("takes A...B as what B has and A has not, with --json", () => {
    commit("APP-1 begin", team(ticket));
    world.git(["switch", "-qc", "topic"], { cwd: work });
    const topic = commit("topic");
    world.git(["switch", "-q", "main"], { cwd: work });
    commit("main moved on");
    const { stdout, code } = check(["--range", "main...topic", "--json"]);
    expect([JSON.parse(stdout), code]).toEqual([
      {
        range: "main...topic",
        hooks: [{ from: "team", id: 1, name: "ticket", type: "commit-msg", advisory: false }],
        counts: { commits: 1, checked: 1, passed: 0, refused: 1 },
        interrupted: false,
        refused: [
          {
            ...{ id: topic, subject: "topic", author: "alice <alice@example.org>" },
            by: [
              {
                ...{ from: "team", id: 1, name: "ticket", type: "commit-msg", advisory: false },
                ...{ exit: 1, why: "exit 1", output: "start with a ticket, such as APP-7\n" },
              },
            ],
          },
        ],
      },
      1,
    ]);
  });

  it("asks as git would: of a merge pre-merge-commit, of a first commit without a parent, with what is committed", () => {
    const said = {
      type: "before-commit",
      command: 'echo "$(git rev-parse -q --verify HEAD^0 || echo none) $(ls)"; exit 1',
    };
    const first = commit("first", { a: "" });
    world.git(["switch", "-qc", "topic"], { cwd: work });
    commit("topic", { b: "" });
    world.git(["switch", "-q", "main"], { cwd: work });
    const second = commit("second", { c: "" });
    world.git(["merge", "-q", "--no-ff", "-m", "merged", "topic"], { cwd: work });
    fs.writeFileSync(join(work, "untracked"), "");
    fs.writeFileSync(join(work, "gatepost.json"), team(said)["gatepost.json"] ?? "");
    expect(check(["--range", "HEAD"]).stdout).toContain(
      `    ${second} a b c\n`.replaceAll(" ", " ").replace(" a b c", " a"),
    );
    expect(check(["--range", first]).stdout).toContain("    none a\n");
  });

  it("asks the hooks of the repository's home as well, before those of the team; --team leaves them out", () => {
    commit("APP-1 begin", team(ticket));
    expect(world.gatepost(["init", "--no-team"], { cwd: work }).code).toBe(0);
    const own = ["--name", "own", "--type", "before-commit", "--command", "echo mine; exit 3"];
    expect(world.gatepost(["hook", "add", ...own], { cwd: work }).code).toBe(0);
    world.gatepost(["hook", "add", "--type", "before-push", "--command", "false"], { cwd: work });
    const { stdout } = check(["--range", "HEAD"]);
    expect(stdout).toContain("  before-commit hook 1 (own): exit 3\n    mine\n\n1 commit of HEAD checked by 2 hooks:");
    expect(check(["--range", "HEAD", "--team"])).toMatchObject({ code: 0 });
  });

  it("shows what an advisory hook says and refuses nothing for it; a hook that options leave out is named", () => {
    commit("begin", team({ ...words, command: "exit 1", path: ["*.c"] }, { ...ticket, advisory: true }));
    expect(check(["--range", "HEAD"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /ticket\) of gatepost\.json: exit 1 \(advisory: it refuses nothing\)\n {4}start with[\s\S]*1 commit not asked about by before-commit hook 1 of gatepost\.json: no path matches --path\n/,
      ),
    });
  });

  it("lets nothing of a repository reach the log unescaped", () => {
    commit("APP-1 begin", team({ type: "before-commit", command: "printf '\\033[31mred\\n'; exit 1" }));
    commit("\u001b]0;title\u0007 x", {}, work);
    const { stdout } = check(["--range", "HEAD"], {});
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(stdout).toContain("red");
  });
});

describe("gatepost check cannot", () => {
  it("judge where there is nothing to judge by: exit 3", () => {
    commit("begin");
    expect(check(["--range", "HEAD"])).toEqual({
      stdout: "",
      stderr:
        "gatepost: There is nothing to judge by: there is no gatepost.json here, and no home with such a hook.\n" +
        "What gatepost.json can hold: docs/team.md\n",
      code: 3,
    });
    commit("push only", team({ type: "before-push", command: "true" }));
    expect(check(["--range", "HEAD", "--team"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("gatepost.json has no before-commit or commit-msg hook."),
    });
  });

  it("read a gatepost.json with mistakes, or guess a range", () => {
    commit("begin", { "gatepost.json": '{"gatepost": 1,\n"hooks": [{}]}' });
    expect(check(["--range", "HEAD"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('  hooks[0] (line 2): has no "type"\n'),
    });
    commit("mended", team(ticket));
    expect(check([])).toMatchObject({ code: 2, stderr: expect.stringContaining("HEAD has no upstream here") });
    for (const range of ["nix", "nix..HEAD", "--all", "-n1", ""])
      expect(check([`--range=${range}`])).toMatchObject({ code: 2, stdout: "" });
  });

  it("see past the edge of a shallow clone, and says how to fetch more", () => {
    commit("APP-1 begin", team(ticket));
    for (const n of [2, 3, 4]) commit(`APP-${n}`);
    const url = `file://${work}`;
    world.git(["clone", "-q", "--depth", "2", url, world.at("shallow")]);
    const at = world.at("shallow");
    for (const range of ["HEAD~3..HEAD", "HEAD~1", "origin/nix..HEAD"])
      expect([range, check(["--range", range], { at })]).toEqual([
        range,
        {
          stdout: "",
          stderr:
            `gatepost: This clone is shallow and has only a part of ${range}. Nothing was checked.\n` +
            "Fetch the history: fetch-depth: 0 (GitHub Actions), GIT_DEPTH: 0 (GitLab), or git fetch --unshallow\n",
          code: 2,
        },
      ]);
    expect(check(["--range", "HEAD~1..HEAD"], { at }).code).toBe(0);
  });

  it("be made outside of a repository", () => {
    const at = world.at("nowhere");
    fs.mkdirSync(at);
    expect(check([], { at, env: { GIT_CEILING_DIRECTORIES: world.dir } })).toMatchObject({ code: 3, stdout: "" });
  });

  it("leave anything behind when it is ended in the middle", async () => {
    const begun = world.at("begun");
    commit("APP-1 begin", team({ type: "before-commit", command: `touch '${begun}'; sleep 300` }));
    const before = picture(work);
    const child = world.start(["check", "--range", "HEAD"], { cwd: work, env: { TMPDIR: temporary } });
    const ended = new Promise((resolve) => child.on("close", resolve));
    await until("the hook runs", () => fs.existsSync(begun));
    child.kill("SIGINT");
    expect(await ended).toBe(1);
    expect(fs.readdirSync(temporary)).toEqual([]);
    expect(picture(work)).toEqual(before);
  });
});
