/** `init --root`: every repository below a folder, those that are there and those that are made later. */
import * as fs from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld, type Outcome, until, type World } from "../helpers/cli.ts";
import { gatepost, hasUsers, makeUsers, type Users } from "../helpers/users.ts";

/** What the database of a home says, one value in each row. */
function values(home: string, sql: string): unknown[] {
  const db = new SQLite(join(home, "gatepost.db"), { readonly: true });
  try {
    return db.prepare(sql).pluck().all();
  } finally {
    db.close();
  }
}
const namesIn = (home: string): unknown[] => values(home, "SELECT name FROM repository ORDER BY name");

/** Times that are older than a walk doubts. */
function age(...folders: string[]): Promise<unknown> {
  return until("the folders are old enough", () =>
    folders.every((folder) => {
      const { mtimeMs, ctimeMs } = fs.statSync(folder);
      return Date.now() - Math.max(mtimeMs, ctimeMs) > 2100;
    }),
  );
}

describe("a root of Git and Fossil repositories", () => {
  const world = makeWorld();
  afterAll(() => world.remove());
  const root = world.at("srv");
  const home = join(root, ".gatepost");
  const pass = (): Outcome => world.gatepost(["backoffice", "--home", home], { env: { USER: "alice" } });
  const make = (name: string): string => {
    fs.mkdirSync(join(root, name, ".."), { recursive: true });
    return world.bare(join("srv", name));
  };
  const push = (path: string, name: string): string => {
    const clone = fs.existsSync(world.at(name)) ? world.at(name) : world.clone(path, name);
    const commit = world.commit(clone, { [`${Date.now()}`]: "x" });
    world.git(["push", "-q", "origin", "HEAD:refs/heads/main"], { cwd: clone });
    return commit;
  };
  /** The hook's name for what arrived: repository, ref and new value, a line for each. */
  const told = (): string[] => fs.readFileSync(world.at("told"), "utf8").trim().split("\n");

  beforeAll(() => {
    push(make("app.git"), "app");
    make("team/lib.git");
    make("team/deep/er.git");
    world.workTree("srv/desk");
    fs.mkdirSync(join(root, "desk", "inside"));
    world.workTree("srv/desk/inside/nested");
    world.git(["commit", "-q", "--allow-empty", "-m", "m"], { cwd: join(root, "desk") });
    world.git(["worktree", "add", "-q", join(root, "second")], { cwd: join(root, "desk") });
    world.run(["fossil", "init", join(root, "team/wiki.fossil")]);
    fs.renameSync(join(root, "team/wiki.fossil"), join(root, "team/noted")); // by what it says of itself
    world.run(["fossil", "init", join(root, "f.fossil")]);
    fs.symlinkSync("..", join(root, "team/up"));
    world.bare("outside.git");
    fs.symlinkSync(world.at("outside.git"), join(root, "link.git"));
  });

  it("registers each of them under its path, none that a link leads to, and none inside another", () => {
    const outcome = world.gatepost(["init", "--root", root]);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stdout).toContain(`${root}: 6 repositories registered, home ${home}\n`);
    const names = ["app.git", "desk", "f.fossil", "team/deep/er.git", "team/lib.git", "team/noted"];
    expect(namesIn(home)).toEqual(names);
  });

  it("takes what is in them as seen, and says so again in one line when nothing is new", () => {
    expect(values(home, "SELECT count(*) FROM ref")).toEqual([1 + 2]);
    expect(world.gatepost(["init", "--root", root])).toEqual({
      stdout: `${root}: 0 repositories registered, 6 were already, home ${home}\n`,
      stderr: "",
      code: 0,
    });
  });

  it("mends what is missing in one that is known", () => {
    fs.rmSync(join(root, "app.git/hooks/post-receive"));
    fs.rmSync(join(root, "team/lib.git/gatepost"));
    const { stdout } = world.gatepost(["init", "--root", root]);
    expect(stdout).toContain("app.git: put in order\nteam/lib.git: put in order\n");
    expect(fs.existsSync(join(root, "app.git/hooks/post-receive"))).toBe(true);
    expect(fs.readFileSync(join(root, "team/lib.git/gatepost"), "utf8")).toContain(`home: ${home}\n`);
  });

  it("registers at the next pass what was made since, hands out what was pushed before, and puts its gate in place", () => {
    world.gatepost(["settings", "--home", home, "automatic-backoffice", "off"]);
    world.gatepost(["settings", "--home", home, "reconcile-age", "200ms"]);
    const tell = `sed "s|^|$(basename %R) |" >> ${world.at("told")}`;
    const adding = ["hook", "add", "--home", home, "-R", "team/*"];
    expect(
      world.gatepost([...adding, "--type", "after-receive", "--stdin", "updates", "--command", tell]).stderr,
    ).toContain("It covers 3 of 6 repositories now.");
    world.gatepost([...adding, "--type", "before-receive", "--command", "test ! -e /dev/null"]);
    const path = make("team/new/made.git");
    const first = push(path, "made");
    expect(pass()).toMatchObject({ stderr: "", code: 0 });
    expect(namesIn(home)).toContain("team/new/made.git");
    expect(told()).toEqual([`made.git ${"0".repeat(40)} ${first} refs/heads/main`]);
    const refused = world.run(["git", "push", "-q", "origin", "HEAD:refs/heads/other"], { cwd: world.at("made") });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("before-receive");
  });

  it("keeps what uninstall took out away from later passes, until init is called on it", async () => {
    const path = join(root, "team/deep/er.git");
    expect(world.gatepost(["uninstall", "-R", path]).code).toBe(0);
    make("team/deep/other.git");
    pass();
    expect(world.gatepost(["init", "--root", root]).code).toBe(0);
    expect(namesIn(home)).not.toContain("team/deep/er.git");
    expect(namesIn(home)).toContain("team/deep/other.git");
    expect(world.gatepost(["init", path]).stdout).toContain(
      `team/deep/er.git: registered (git, bare, 0 refs), home ${home}`,
    );
    expect(namesIn(home)).toContain("team/deep/er.git");
  });

  it("keeps the history and the hooks of one that is moved below the root, and calls it by its new path", () => {
    const id = values(home, "SELECT id FROM repository WHERE name = 'team/new/made.git'");
    fs.renameSync(join(root, "team/new/made.git"), join(root, "made-else.git"));
    const before = told().length;
    expect(pass().code).toBe(0);
    expect(values(home, "SELECT id FROM repository WHERE name = 'made-else.git'")).toEqual(id);
    expect(told().length).toBe(before);
  });

  it("leaves one alone that another home serves, names it once, and exits 1 where a person asked", async () => {
    const path = make("own.git");
    expect(world.gatepost(["init", "--home", world.at("elsewhere"), path]).code).toBe(0);
    const said = pass().stderr;
    expect(said).toContain(`${path} already has the home ${world.at("elsewhere")}.`);
    await age(root, path);
    pass();
    expect(pass()).toMatchObject({ stdout: "", stderr: "", code: 0 });
    expect(world.gatepost(["init", "--root", root])).toMatchObject({
      stderr: expect.stringContaining(`gatepost uninstall -R ${path}`),
      code: 1,
    });
    expect(namesIn(home)).not.toContain("own.git");
    world.gatepost(["uninstall", "-R", path]);
    pass();
    expect(namesIn(home)).toContain("own.git");
  });

  it("costs a pass no look at any repository where no folder changed", async () => {
    const folders = values(home, "SELECT key FROM root, json_each(seen, '$.folders')") as string[];
    expect(folders.sort()).toEqual(["", "team", "team/deep", "team/new"]);
    await age(...folders.map((name) => join(root, name)));
    pass();
    const before = values(home, "SELECT seen FROM root");
    const trace = world.at("trace");
    const argv = ["strace", "-f", "-e", "trace=file", "-o", trace, process.execPath];
    expect(values(home, "SELECT value FROM root, json_each(seen, '$.folders') WHERE value = ''")).toEqual([]);
    if (world.run(["sh", "-c", "command -v strace"]).code !== 0) return;
    world.run([...argv, join(import.meta.dirname, "../../bin/gatepost"), "backoffice", "--home", home]);
    const lines = fs.readFileSync(trace, "utf8").split("\n");
    expect(lines.filter((line) => line.includes(`"${root}/team", O_RDONLY`))).toEqual([]);
    expect(lines.filter((line) => line.includes(`"${root}/team"`))).not.toEqual([]);
    expect(values(home, "SELECT seen FROM root")).toEqual(before);
  });

  it("follows no more when told so, and what is registered stays", () => {
    expect(world.gatepost(["uninstall", "--root", root]).stdout).toMatch(
      /^.*srv is followed no more\. \d+ repositories below it stay registered\.\n$/,
    );
    make("late.git");
    pass();
    expect(namesIn(home)).not.toContain("late.git");
    expect(namesIn(home)).toContain("app.git");
    expect(world.gatepost(["uninstall", "--root", root])).toMatchObject({ code: 3 });
  });
});

describe("a call that cannot be meant", () => {
  const world: World = makeWorld();
  afterAll(() => world.remove());

  it.each([
    [["init", "--root", "nowhere"], "There is no folder at nowhere.", 3],
    [["init", "--root", "app.git"], "app.git is a repository itself.", 2],
    [["init", "--root", ".", "app.git"], "--root stands for all that is below it", 2],
    [["init", "--root", ""], "A path is empty", 2],
  ])("is refused: %j", (words, sentence, code) => {
    if (!fs.existsSync(world.at("app.git"))) world.bare();
    const outcome = world.gatepost(words);
    expect(outcome.stderr).toContain(sentence);
    expect(outcome.code).toBe(code);
  });

  it("has no two homes follow one folder", () => {
    expect(world.gatepost(["init", "--root", "."]).code).toBe(0);
    expect(world.gatepost(["init", "--root", ".", "--home", world.at("two")])).toMatchObject({
      stderr: expect.stringContaining(`gatepost uninstall --root ${world.dir} --home ${world.at(".gatepost")}`),
      code: 2,
    });
  });
});

describe.runIf(hasUsers)("a uid that does not own the repository", () => {
  let users: Users;
  let path: string;
  beforeAll(() => {
    users = makeUsers();
    path = users.serve("alice", "true", "git/app.git");
    fs.chmodSync(users.of("alice"), 0o755);
  });
  afterAll(() => users.world.remove());

  it.each([
    [["init"], "init"],
    [["init", "--root"], "init --root"],
    [["hook", "add", "--type", "after-receive", "--command", "true", "-R"], "hook add"],
    [["hook", "apply", "hooks.json", "-R"], "hook apply"],
  ])("is told the call that works: %j", (words, shown) => {
    fs.writeFileSync(users.of("bob", "hooks.json"), '{"gatepost": 1, "hooks": []}');
    const named = words.includes("--root") ? users.of("alice", "git") : path;
    const outcome = users.as("bob", [...gatepost, ...words, named]);
    expect(outcome.stderr).toContain(`sudo -u alice gatepost ${shown}`);
    expect(outcome.code).toBe(7);
  });

  it("leaves another's repository below its root alone, and names the owner's call once", () => {
    const root = users.of("bob", "srv");
    users.must("bob", ["git", "init", "-q", "--bare", join(root, "mine.git")]);
    fs.cpSync(path, join(root, "hers.git"), { recursive: true });
    users.asRoot(["chown", "-R", "alice:", join(root, "hers.git")]);
    const outcome = users.as("bob", [...gatepost, "init", "--root", root]);
    expect(outcome.stdout).toContain("1 repository registered");
    expect(outcome.stderr).toContain(`sudo -u alice gatepost init ${join(root, "hers.git")}`);
    expect(users.must("bob", [...gatepost, "backoffice", "--home", join(root, ".gatepost")])).toBe("");
    expect(namesIn(join(root, ".gatepost"))).toEqual(["mine.git"]);
  });
});
