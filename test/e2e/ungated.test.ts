/** `gatepost runs --ungated` with the real git: every way round the gates is listed, and nothing that passed them. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld, until, type World } from "../helpers/cli.ts";
import { enter, leave, type Watched, watch } from "../helpers/served.ts";

let world: World;
let made = 0;
beforeAll(() => {
  world = makeWorld();
  enter(world);
});
afterAll(() => leave(world));

type Line = {
  kind: string;
  commit: string;
  subject: string;
  missing: string[];
  why: string;
  ref: string;
};
type Listed = { ungated: Line[]; total: number; notJudged: number; moved: number };

class Repo {
  readonly path: string;
  #watched: Watched | null = null;
  constructor(path: string) {
    this.path = path;
  }
  sh(script: string, env: Record<string, string> = {}): void {
    const { code, stderr } = world.run(["sh", "-ec", script], { cwd: this.path, env });
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  }
  gatepost(...args: string[]): string {
    const { code, stdout, stderr } = world.gatepost(args, { cwd: this.path });
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  }
  async register(): Promise<this> {
    this.#watched = await watch(world, this.path);
    return this;
  }
  get watched(): Watched {
    if (this.#watched === null) throw new Error(`${this.path} is not registered`);
    return this.#watched;
  }
  hook(type: string, command = "true"): void {
    this.watched.hook(command, { type });
  }
  /** Makes a pass, then lists. */
  async listed(...args: string[]): Promise<Listed> {
    await this.watched.pass();
    return JSON.parse(this.gatepost("runs", "--ungated", "--json", "--limit", "1000", ...args)) as Listed;
  }
  async subjects(): Promise<string[]> {
    const { ungated } = await this.listed();
    return ungated.map(({ subject, missing }) => `${subject}: ${missing.join(" ")}`).sort();
  }
  /** Changes the database of the home, as time or a forger would. */
  sql(statement: string): void {
    this.watched.home.db.sqlite.exec(statement);
  }
}

const BOTH = "before-commit commit-msg";

/** A repository with a branch `side` of one commit, and gates of both types. */
async function guarded(): Promise<Repo> {
  const repo = new Repo(world.workTree(`r${++made}`));
  repo.sh(
    "echo 0 >f; git add f; git commit -qm start; git checkout -qb side; echo 1 >g; git add g; git commit -qm side",
  );
  repo.sh("git checkout -q main");
  await repo.register();
  repo.hook("before-commit");
  repo.hook("commit-msg");
  return repo;
}

describe("what passed the gates", () => {
  it("is not listed: commit, -a, --amend, FILE, a merge, a conflict, rebase --reword, a linked work tree", async () => {
    const repo = await guarded();
    repo.sh("git commit -q --allow-empty -m one");
    repo.sh("echo 2 >f; git commit -qam two; git commit -q --amend -m again");
    repo.sh("echo 3 >f; git commit -qm three f; git merge -q --no-edit side");
    repo.sh("git checkout -q -b clash HEAD~1; echo x >g; git add g; git commit -qm clash");
    repo.sh("git merge -q side >/dev/null 2>&1 && exit 1; echo y >g; git add g; git commit -qm solved");
    repo.sh("git checkout -q -b reworded main; echo 4 >f; git commit -qam four");
    repo.sh("GIT_SEQUENCE_EDITOR='sed -i 1s/pick/reword/' GIT_EDITOR='echo new >' git rebase -qi HEAD~1 2>&1");
    repo.sh("git worktree add -q ../linked$$ -b linked; cd ../linked$$; git commit -q --allow-empty -m there");
    expect(await repo.listed()).toEqual({ ungated: [], total: 0, notJudged: 0, moved: 0, unreadable: [] });
    const { stdout, stderr } = world.gatepost(["runs", "--ungated"], { cwd: repo.path });
    expect({ stdout, stderr }).toEqual({
      stdout: "",
      stderr: "Nothing went round the gates, as far as the ledger tells.\n",
    });
  });

  it("is not listed where the commit has another date, author or encoding", async () => {
    const repo = await guarded();
    repo.sh("git commit -q --allow-empty -m a --date=2001-02-03T04:05:06 --author='Zoë <z@example.org>'");
    // An author in ISO-8859-1, which is no UTF-8.
    repo.sh(
      'GIT_AUTHOR_NAME=$(printf "Zo\\353") git -c i18n.commitEncoding=ISO-8859-1 commit -q --allow-empty -m "$(printf "caf\\351")"',
    );
    expect(world.git(["log", "-1", "--format=%e %an %s"], { cwd: repo.path })).toBe("ISO-8859-1 Zo\u00eb caf\u00e9");
    expect(await repo.subjects()).toEqual([]);
  });

  it("is not listed where a hook took its time over it", async () => {
    const repo = await guarded();
    repo.hook("before-commit", "sleep 1.2");
    repo.sh("git commit -q --allow-empty -m slow; git commit -q --amend --allow-empty -m slower");
    expect(await repo.subjects()).toEqual([]);
  });

  it("is not listed when its objects are packed", async () => {
    const repo = await guarded();
    repo.sh("git commit -q --allow-empty -m one; git commit -q --amend --allow-empty -m two; git gc -q");
    expect(await repo.subjects()).toEqual([]);
  });
});

describe("what went round the gates", () => {
  const ways: [string, string, string][] = [
    ["commit --no-verify", "git commit -qn --allow-empty -m bare", "bare"],
    [
      "commit --amend --no-verify",
      "git commit -q --allow-empty -m ok; git commit -qn --amend --allow-empty -m bare",
      "bare",
    ],
    ["cherry-pick", "git commit -q --allow-empty -m ok; git cherry-pick side >/dev/null", "side"],
    ["revert", "git revert --no-edit HEAD >/dev/null", 'Revert "start"'],
    ["rebase", "git commit -q --allow-empty -m ok; git rebase -q side", "ok"],
    ["am", "git commit -q --allow-empty -m ok; git format-patch -q -o p side~1..side; git am -q p/*", "side"],
    ["merge --no-verify", "git commit -q --allow-empty -m ok; git merge -q --no-verify -m bare side", "bare"],
    [
      "hooks that were removed",
      "rm .git/hooks/pre-commit .git/hooks/commit-msg; git commit -q --allow-empty -m bare",
      "bare",
    ],
    ["another hooks folder", "git -c core.hooksPath=/dev/null commit -q --allow-empty -m bare", "bare"],
    [
      "a git that runs no hooks",
      "git update-ref refs/heads/other $(git commit-tree -p HEAD -m bare 'HEAD^{tree}')",
      "bare",
    ],
  ];
  it.for(ways)("is listed: %s", async ([, script, subject]) => {
    const repo = await guarded();
    repo.sh(script);
    const { ungated, total } = await repo.listed();
    expect(ungated).toMatchObject([{ kind: "commit", subject, missing: BOTH.split(" "), author: { name: "alice" } }]);
    expect(total).toBe(1);
  });

  it("says which of the two types did not run", async () => {
    const repo = await guarded();
    repo.sh("rm .git/hooks/commit-msg; git commit -q --allow-empty -m bare");
    expect(await repo.subjects()).toEqual(["bare: commit-msg"]);
  });

  it("is shown as a table, newest first, and what commits hold is escaped", async () => {
    const repo = await guarded();
    repo.sh('git checkout -q -b "b;\u202e"; git commit -qn --allow-empty -m "$(printf "a\\033[31mb")"', {
      GIT_AUTHOR_NAME: "e\u001b]0;x\u0007vil",
      GIT_COMMITTER_DATE: new Date(Date.now() + 5000).toISOString(),
    });
    repo.sh("git commit -qn --allow-empty -m older");
    await repo.watched.pass();
    const { stdout, stderr, code } = world.gatepost(["runs", "--ungated"], { cwd: repo.path });
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
    const [head, first = "", second = "", ...more] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^WHAT +WHEN +REPOSITORY +WHO +REF +SUBJECT +WHY$/);
    expect(first).toContain("a\\x1b[31mb");
    expect(first).toContain("no before-commit run, no commit-msg run");
    expect(second).toContain("older");
    expect(more).toEqual([]);
    expect(world.gatepost(["runs", "--ungated", "--limit", "1"], { cwd: repo.path }).stderr).toBe(
      "1 more: --limit 2\n",
    );
  });

  it("is told by a record for one commit only, also where the record was forged or copied", async () => {
    const repo = await guarded();
    repo.sh(
      "git commit -q --allow-empty -m ok; git checkout -q -b copy side; git cherry-pick --allow-empty main >/dev/null",
    );
    expect(await repo.subjects()).toEqual([`ok: ${BOTH}`]);
    const [{ commit = "" } = {}] = (await repo.listed()).ungated;
    expect(commit).toBe(world.git(["rev-parse", "copy"], { cwd: repo.path }));
  });

  it("is listed since a time", async () => {
    const repo = await guarded();
    repo.sh("git commit -qn --allow-empty -m bare");
    expect((await repo.listed("--since", "1h")).total).toBe(1);
    expect((await repo.listed("--since", "2199-01-01")).total).toBe(0);
  });
});

describe("nobody is accused", () => {
  it("of what a colleague made and was pulled, nor of what came from a second machine of one's own", async () => {
    const repo = await guarded();
    const origin = world.bare(`o${made}.git`);
    repo.sh(`git remote add origin '${origin}'; git push -q origin main; git fetch -q`);
    const other = new Repo(world.clone(origin, `c${made}`));
    const bob = { GIT_AUTHOR_NAME: "bob", GIT_COMMITTER_NAME: "bob", GIT_COMMITTER_EMAIL: "bob@example.org" };
    other.sh("git pull -q origin main; git commit -q --allow-empty -m theirs", bob);
    other.sh("git commit -q --allow-empty -m elsewhere; git push -q origin HEAD:main");
    repo.sh("git commit -qn --allow-empty -m bare; git pull -q --no-rebase --no-edit origin main");
    const listed = await repo.listed();
    expect(listed.ungated.map(({ subject }) => subject)).toEqual(["bare"]);
    expect(listed.notJudged).toBe(2);
    const { stderr } = world.gatepost(["runs", "--ungated"], { cwd: repo.path });
    expect(stderr).toBe("2 commits by others or made elsewhere were not judged here.\n");
  });

  it("of a colleague's commits where no reflog is kept", async () => {
    const repo = await guarded();
    repo.sh("git config core.logAllRefUpdates false; rm -r .git/logs; git config user.name alice");
    repo.sh("git config user.email alice@example.org; git commit -qn --allow-empty -m bare");
    repo.sh("git commit -qn --allow-empty -m theirs", { GIT_COMMITTER_NAME: "bob" });
    expect(await repo.subjects()).toEqual([`bare: ${BOTH}`]);
  });

  it("of commits made before the first hook was added", async () => {
    const repo = new Repo(world.workTree(`r${++made}`));
    repo.sh("git commit -q --allow-empty -m start");
    await repo.register();
    repo.sh("git commit -q --allow-empty -m early");
    repo.hook("before-commit");
    repo.sh("git commit -qn --allow-empty -m late");
    expect(await repo.subjects()).toEqual(["late: before-commit"]);
  });

  it("of commits of the hour in which the hooks were disabled", async () => {
    const repo = await guarded();
    const at = (minutes: number) => `${Math.floor(Date.now() / 1000) - minutes * 60} +0000`;
    repo.gatepost("hook", "disable", "1", "2");
    repo.gatepost("hook", "enable", "1", "2");
    // As if hooks had been added three hours ago, and disabled from two hours ago until one hour ago.
    repo.sql("DROP TRIGGER hook_audit_is_fixed");
    for (const [rows, minutes] of [
      ["id <= 2", 180],
      ["id IN (3, 4)", 120],
      ["id IN (5, 6)", 60],
    ] as const)
      repo.sql(`UPDATE hook_audit SET at = ${Date.now() - minutes * 60_000} WHERE ${rows}`);
    for (const minutes of [200, 150, 90, 30])
      repo.sh(`git commit -qn --allow-empty -m 'ago ${minutes}'; git gc -q`, { GIT_COMMITTER_DATE: at(minutes) });
    expect(await repo.subjects()).toEqual([`ago 150: ${BOTH}`, `ago 30: ${BOTH}`]);
  });

  it("of what retention has forgotten", async () => {
    const repo = await guarded();
    repo.gatepost("settings", "retention-runs", "2");
    repo.sh("git commit -q --allow-empty -m one; git commit -qn --allow-empty -m bare");
    expect(await repo.subjects()).toEqual([`bare: ${BOTH}`]);
    repo.sh("sleep 1; git commit -q --allow-empty -m two");
    expect(await repo.subjects()).toEqual([`bare: ${BOTH}`]);
    repo.sh("rm .git/gatepost/spool/gates.*"); // what is in them would be stored anew for a minute
    repo.sql("DELETE FROM run WHERE id < 3; DELETE FROM gate WHERE id NOT IN (SELECT gate FROM run)");
    expect(await repo.subjects()).toEqual([]);
  });
});

describe("refs that moved since the last pass", () => {
  it("are looked at first", async () => {
    const repo = await guarded();
    repo.sh("git commit -qn --allow-empty -m bare");
    await until("it is listed", () => {
      const { stdout } = world.gatepost(["runs", "--ungated"], { cwd: repo.path });
      return stdout.includes(" bare ");
    });
  });

  it("are counted instead of guessed at where they are too young to be told", async () => {
    const repo = await guarded();
    repo.watched.set("reconcile-age", "1h");
    repo.sh("git commit -qn --allow-empty -m bare; git branch more");
    const { stdout, stderr, code } = world.gatepost(["runs", "--ungated"], { cwd: repo.path });
    expect({ stdout, code }).toEqual({ stdout: "", code: 0 });
    expect(stderr).toBe(
      "Nothing went round the gates, as far as the ledger tells.\n" +
        `2 refs have moved since the last pass: gatepost backoffice --home ${repo.path}/.git/gatepost\n`,
    );
  });
});

describe("in a bare repository", () => {
  it("refs that moved without a passed before-receive gate are listed, pushes that passed are not", async () => {
    const bare = await new Repo(world.bare(`b${++made}.git`)).register();
    const clone = new Repo(world.clone(bare.path, `bc${made}`));
    clone.sh("git commit -q --allow-empty -m early; git push -q origin HEAD:main");
    await bare.watched.pass();
    bare.hook("before-receive");
    clone.sh("git commit -q --allow-empty -m one; git push -q origin HEAD:main");
    clone.sh("for n in $(seq 40); do git branch b$n; done; git push -q --all origin");
    expect(await bare.listed()).toMatchObject({ ungated: [], total: 0, notJudged: 0 });
    const main = world.git(["rev-parse", "main"], { cwd: bare.path });
    bare.sh("git update-ref refs/heads/main main~1");
    const [line, ...more] = (await bare.listed()).ungated;
    expect(line).toMatchObject({ kind: "update", ref: "refs/heads/main", old: main, source: "reconciled", user: null });
    expect(line?.why).toBe("no before-receive run");
    expect(more).toEqual([]);
    fs.rmSync(join(bare.path, "hooks/pre-receive"));
    clone.sh("git commit -q --allow-empty -m two; git push -q origin HEAD:unguarded");
    const refs = (await bare.listed()).ungated.map(({ ref }) => ref);
    expect(refs.sort()).toEqual(["refs/heads/main", "refs/heads/unguarded"]);
    const { stdout } = world.gatepost(["runs", "--ungated"], { cwd: bare.path });
    expect(stdout).toMatch(/^receipt \d+ .* unguarded +new [0-9a-f]{10} +no before-receive run$/m);
    expect(stdout).toMatch(/^receipt \d+ .* unknown +main +[0-9a-f]{10}\.\.[0-9a-f]{10} +no before-receive run$/m);
  });
});

describe("options", () => {
  it("that choose among runs are refused", async () => {
    const repo = await guarded();
    for (const args of [["--failed"], ["--parked"], ["--refused"], ["--follow"], ["--hook", "1"]])
      expect(world.gatepost(["runs", "--ungated", ...args], { cwd: repo.path }).code).toBe(2);
  });
});
