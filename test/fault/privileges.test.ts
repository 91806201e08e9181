/** Root supervises and is nobody's deputy; whose home it is decides who works on it, and who may only push can only push. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../helpers/cli.ts";
import { type Daemon, endDaemonsAfterEach, followed } from "../helpers/daemon.ts";
import { runs } from "../helpers/served.ts";
import { foreignIn, gatepost, hasUsers, makeUsers, PUSHERS, UIDS, type Users } from "../helpers/users.ts";

/** Says who runs it. */
const TELLS = `{ id -u; id -G; pwd; umask; env; } > %R/told.new; mv %R/told.new %R/told`;

const read = (...parts: string[]): string => fs.readFileSync(join(...parts), "utf8");

endDaemonsAfterEach();

if (!hasUsers) console.warn("Users can be made by root alone: tests of privileges are skipped.");

describe.runIf(hasUsers)("a backoffice that root started", () => {
  let users: Users;
  let alices: string;
  let bobs: string;
  beforeAll(() => {
    users = makeUsers();
    alices = users.serve("alice", TELLS);
    bobs = users.serve("bob", TELLS);
  });
  afterAll(() => users.world.remove());
  /** What the hook told, once. */
  const told = (repository: string): string[] => {
    const text = read(repository, "told").trim().split("\n");
    fs.rmSync(join(repository, "told"));
    return text;
  };

  it("K1: works on each home as its owner, with the owner's groups, environment and umask, and nothing of root's", () => {
    users.push("alice", alices);
    users.push("bob", bobs);
    const env = { XDG_STATE_HOME: users.world.at("roots"), AWS_SECRET_ACCESS_KEY: "roots-secret", LANG: "C.UTF-8" };
    expect(users.asRoot([...gatepost, "backoffice", alices, bobs], { env })).toEqual({
      stdout: "",
      stderr: "",
      code: 0,
    });
    const [uid, groups, pwd, umask, ...environment] = told(alices);
    expect([uid, groups, pwd, umask]).toEqual(["12001", `12001 ${PUSHERS}`, alices, "0077"]);
    const named = ["HOME", "USER", "LOGNAME", "SHELL", "LANG"];
    expect(named.map((name) => environment.find((line) => line.startsWith(`${name}=`)))).toEqual([
      ...[`HOME=${users.of("alice")}`, "USER=alice", "LOGNAME=alice", "SHELL=/bin/sh", "LANG=C.UTF-8"],
    ]);
    expect(environment.join("\n")).not.toMatch(/SECRET|roots/);
    expect(told(bobs).slice(0, 2)).toEqual(["12002", `12002 ${PUSHERS}`]);
    expect([...foreignIn(users.of("alice"), UIDS.alice), ...foreignIn(users.of("bob"), UIDS.bob)]).toEqual([]);
  });

  it("K1: works on every home in every user's register where none is named, and on none where the register is not theirs", () => {
    users.push("alice", alices);
    users.push("bob", bobs);
    const register = users.of("bob", ".local", "state", "gatepost", "homes");
    fs.renameSync(register, `${register}.kept`);
    fs.writeFileSync(register, read(`${register}.kept`));
    const out = users.asRoot([...gatepost, "backoffice"]);
    expect(out).toEqual({
      stdout: "",
      code: 0,
      stderr: `gatepost: ${register} is not bob's own file: it is not read.\n`,
    });
    expect(told(alices)[0]).toBe("12001");
    expect(fs.existsSync(join(bobs, "told"))).toBe(false);
    fs.rmSync(register);
    fs.renameSync(`${register}.kept`, register);
    expect(users.asRoot([...gatepost, "backoffice"])).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(told(bobs)[0]).toBe("12002");
  });

  it("K1: names what belongs to nobody that is known, works on the rest, and ends with 7", () => {
    const orphan = users.world.bare("orphan.git");
    fs.chownSync(orphan, 12999, 12999);
    users.push("alice", alices);
    const out = users.asRoot([...gatepost, "backoffice", orphan, alices]);
    expect(out.code).toBe(7);
    expect(out.stderr).toContain(`${orphan} belongs to uid 12999, of which no user is known`);
    expect(told(alices)[0]).toBe("12001");
    const alone = users.asRoot([...gatepost, "backoffice", orphan]);
    expect(alone).toMatchObject({ code: 7, stderr: expect.stringContaining("Nothing was done.\nGive it to a user") });
  });

  it("K1: ends with the first worker's exit code that is not 0, and says what is wrong in the worker's words", () => {
    fs.mkdirSync(users.of("alice", "empty"));
    fs.chownSync(users.of("alice", "empty"), UIDS.alice, UIDS.alice);
    users.push("bob", bobs);
    const out = users.asRoot([...gatepost, "backoffice", users.of("alice", "empty"), bobs]);
    expect(out).toMatchObject({ code: 3, stderr: expect.stringContaining("is in no repository") });
    expect(told(bobs)[0]).toBe("12002");
  });

  it("K1: goes where a planted link or pointer leads as whoever planted it, which is nowhere", () => {
    users.push("alice", alices);
    const [link, pointer] = [users.of("bob", "link.git"), users.of("bob", "pointer.git")];
    users.must("bob", ["ln", "-s", alices, link]);
    users.must("bob", ["git", "init", "-q", "--bare", pointer]);
    users.must("bob", ["sh", "-c", `printf 'home: ${alices}/gatepost\\n' > ${pointer}/gatepost`]);
    for (const planted of [link, pointer]) {
      const out = users.asRoot([...gatepost, "backoffice", planted]);
      expect(out.code, out.stderr).toBe(7);
      expect(fs.existsSync(join(alices, "told"))).toBe(false);
    }
    const own = users.world.at("of-root.git");
    fs.symlinkSync(alices, own);
    expect(users.asRoot([...gatepost, "backoffice", own]).code, "root's own link is root's word").toBe(0);
    expect(told(alices)[0]).toBe("12001");
  });

  it("K1: reads no pointer of others, were it in a repository of root's", () => {
    const own = users.world.bare("roots.git");
    fs.writeFileSync(join(own, "gatepost"), `home: ${alices}/gatepost\n`);
    const led = users.asRoot([...gatepost, "backoffice", own]);
    expect(led).toMatchObject({ code: 7, stderr: expect.stringContaining("belongs to another user (uid 12001)") });
    fs.chownSync(join(own, "gatepost"), UIDS.bob, UIDS.bob);
    const planted = users.asRoot([...gatepost, "backoffice", own]);
    expect(planted.stderr).toContain(`${own}/gatepost belongs to another user (uid 12002): root does not read it.`);
    fs.rmSync(join(own, "gatepost"));
    users.world.run(["mkfifo", join(own, "gatepost")]);
    fs.chownSync(join(own, "gatepost"), UIDS.bob, UIDS.bob);
    expect(users.asRoot([...gatepost, "backoffice", own], { timeout: 60_000 }).code, "it does not hang").toBe(7);
    expect(foreignIn(join(alices, "gatepost"), UIDS.alice)).toEqual([]);
  });

  it("K1: refuses to work where setpriv is missing, before anything is begun", () => {
    users.push("alice", alices);
    const hidden = ["sh", "-c", 'mount --bind "$0" "$(command -v setpriv)" && exec "$@"', users.world.at("passwd")];
    const out = users.asRoot([...hidden, ...gatepost, "backoffice", alices]);
    expect(out).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/setpriv is missing.*\nInstall util-linux; or /),
    });
    expect(users.asRoot([...gatepost, "backoffice", alices]).code).toBe(0);
    told(alices);
  });

  it("K1: says so where the owner may not execute node", () => {
    const bin = users.world.at("roots-own");
    fs.mkdirSync(bin, { mode: 0o700 });
    const mine = join(bin, "copy");
    fs.copyFileSync(process.execPath, mine);
    fs.chmodSync(mine, 0o700);
    const out = users.asRoot([mine, ...gatepost.slice(1), "backoffice", alices]);
    expect(out.code).toBe(3);
    expect(out.stderr).toContain(`alice may not execute ${mine}, or not read gatepost.`);
  });

  /** The processes that serve for a user. */
  const workers = (uid: number): number[] => {
    const { stdout } = spawnSync("pgrep", ["-u", String(uid), "-f", `bin/gatepost serve.* ${users.world.dir}/`], {
      encoding: "utf8",
    });
    return stdout.split("\n").filter(Boolean).map(Number);
  };
  const worker = (uid: number, but: number | null = null) =>
    until("a worker serves", () => {
      const pid = workers(uid).find((other) => other !== but);
      return (
        pid !== undefined && fs.existsSync(join(uid === UIDS.alice ? alices : bobs, "gatepost", "daemon.pid")) && pid
      );
    });

  const serving = (): Daemon => followed(users.start([...gatepost, "serve", "--poll", "1", alices, bobs]));

  it("K1: that stays starts a worker again that was killed, and on TERM ends after all of them", async () => {
    const { child, said, ended } = serving();
    const first = await worker(UIDS.alice);
    await worker(UIDS.bob);
    const roots = [0, 1, 2].map((fd) => fs.readlinkSync(`/proc/${child.pid}/fd/${fd}`));
    for (const fd of [1, 2]) expect(roots).not.toContain(fs.readlinkSync(`/proc/${first}/fd/${fd}`));
    process.kill(first, "SIGKILL");
    await until("it is told", () =>
      said().includes("the worker of alice ended by SIGKILL; it is started again in 1 s"),
    );
    const second = await worker(UIDS.alice, first);
    users.push("alice", alices);
    await until("it works on", () => fs.existsSync(join(alices, "told")));
    expect(told(alices)[0]).toBe("12001");
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect([...workers(UIDS.alice), ...workers(UIDS.bob), ...[first, second].filter(runs)]).toEqual([]);
    expect(fs.existsSync(join(alices, "gatepost", "daemon.pid")), "in order").toBe(false);
  });

  it("K1: that is killed takes its workers along, in order", async () => {
    const { child, ended } = serving();
    const pids = [await worker(UIDS.alice), await worker(UIDS.bob)];
    child.kill("SIGKILL");
    await ended;
    await until("they end", () => !pids.some(runs));
    expect(fs.existsSync(join(alices, "gatepost", "daemon.pid"))).toBe(false);
  });
});

/** Without how long ago things were. */
const timeless = (text: string): string =>
  text.replaceAll(/\bnow\b|\d+ s(?:econds?)? ago/g, "-").replaceAll(/ +/g, " ");

describe.runIf(hasUsers)("root's other commands", () => {
  let users: Users;
  let path: string;
  beforeAll(() => {
    users = makeUsers();
    path = users.serve("alice", ":");
    users.push("alice", path);
    expect(users.as("alice", [...gatepost, "backoffice", path]).code).toBe(0);
  });
  afterAll(() => {
    expect(foreignIn(users.of("alice"), UIDS.alice), "nothing of root's beside the owner's").toEqual([]);
    users.world.remove();
  });

  it.each([["runs"], ["runs show 1"], ["hook list"], ["hook status"], ["hook export"], ["settings"], ["doctor"]])(
    "K1: %s is run as the owner",
    (words) => {
      const out = users.asRoot([...gatepost, ...words.split(" "), "-R", path]);
      const as = users.as("alice", [...gatepost, ...words.split(" "), "-R", path]);
      expect({ ...out, stdout: timeless(out.stdout) }).toEqual({ ...as, stdout: timeless(as.stdout) });
      expect(out.code).toBe(0);
      expect(users.asRoot([...gatepost, ...words.split(" ")], { cwd: path })).toMatchObject({ code: 0 });
    },
  );

  it.each([
    [["hook", "add", "--type", "after-receive", "--command", "a  b"], "--command 'a  b'"],
    [["hook", "edit", "1", "--sequence", "2"], "hook edit 1 --sequence 2"],
    [["hook", "delete", "1"], "hook delete 1"],
    [["hook", "test", "1"], "hook test 1"],
    [["hook", "import", "-"], "hook import -"],
    [["hook", "export", "--to", "fossil"], "hook export --to fossil"],
    [["settings", "window", "all"], "settings window all"],
    [["runs", "replay", "1"], "runs replay 1"],
    [["doctor", "--fix"], "doctor --fix"],
    [["uninstall"], "uninstall"],
  ])("K1: %j is refused, with the call that works", (words, shown) => {
    const out = users.asRoot([...gatepost, ...words, "-R", path], { input: "[]" });
    expect(out).toMatchObject({ code: 7, stdout: "" });
    expect(out.stderr).toContain(`${path} belongs to another user (uid 12001). Nothing was changed.\n`);
    expect(out.stderr).toContain("As its owner: sudo -u alice gatepost ");
    expect(out.stderr).toContain(shown);
  });

  it("K1: init of another's repository changes nothing, and neither does one that is led there", () => {
    const bobs = users.of("bob", "new.git");
    users.must("bob", ["git", "init", "-q", "--bare", bobs]);
    const out = users.asRoot([...gatepost, "init", bobs]);
    expect(out.stderr).toBe(
      `gatepost: ${bobs} belongs to another user (uid 12002). Nothing was changed.\n` +
        `As its owner: sudo -u bob gatepost init ${bobs}\n`,
    );
    const inside = join(bobs, "of-root");
    fs.mkdirSync(inside);
    expect(users.asRoot([...gatepost, "init", inside])).toMatchObject({ code: 7, stdout: "" });
    expect(users.asRoot([...gatepost, "runs"], { cwd: inside }).stderr).toContain("root does not read it");
    expect(fs.readdirSync(bobs)).not.toContain("gatepost");
  });
});

describe.runIf(hasUsers)("a repository that alice and bob push to, and alice owns,", () => {
  let users: Users;
  let path: string;
  let env: Record<string, string>;
  beforeAll(() => {
    users = makeUsers();
    path = users.world.at("srv", "team.git");
    fs.mkdirSync(users.world.at("srv"));
    fs.chownSync(users.world.at("srv"), UIDS.alice, PUSHERS);
    fs.writeFileSync(users.world.at("safe"), `[safe]\n\tdirectory = ${path}\n`);
    env = { GIT_CONFIG_GLOBAL: users.world.at("safe") };
    users.must("alice", ["git", "init", "-q", "--bare", "--shared=group", "-b", "main", path]);
    users.must("alice", ["chgrp", "-R", "pushers", path]);
    users.must("alice", ["sh", "-c", `find ${path} -type d -exec chmod g+ws {} +`]);
    users.must("alice", [...gatepost, "init", path]);
    users.must("alice", [...gatepost, "settings", "-R", path, "automatic-backoffice", "off"]);
    const hook = `echo "$GATEPOST_USER $(id -un)" >> ${users.of("alice", "got")}`;
    users.must("alice", [
      ...gatepost,
      "hook",
      "add",
      "-R",
      path,
      "--type",
      "after-receive",
      "--each",
      "receipt",
      "--command",
      hook,
    ]);
    for (const name of ["alice", "bob"] as const)
      users.must(name, ["git", "clone", "-q", path, users.of(name, "clone")], { env });
  });
  afterAll(() => users.world.remove());
  const push = (name: "alice" | "bob", branch: string): void => {
    const cwd = users.of(name, "clone");
    users.must(name, ["git", "commit", "-q", "--allow-empty", "-m", name], { cwd, env });
    users.must(name, ["git", "push", "-q", "origin", `HEAD:refs/heads/${branch}`], { cwd, env });
  };
  const home = (): string => join(path, "gatepost");

  it("K4: takes a push of each, hands both to hooks that run as alice, and says who pushed", () => {
    push("alice", "one");
    push("bob", "two");
    expect(users.asRoot([...gatepost, "backoffice", path])).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(read(users.of("alice", "got")).trim().split("\n").sort()).toEqual(["alice alice", "bob alice"]);
    expect(foreignIn(home(), UIDS.alice), "bob's entry was taken in").toEqual([]);
  });

  it("K4: lets bob read no entry, no database and no copy of the hooks, and change none of it, nor any gate", () => {
    users.must("alice", [...gatepost, "hook", "add", "-R", path, "--type", "before-receive", "--command", "true"]);
    push("alice", "three");
    const names = fs.readdirSync(join(home(), "spool")).filter((name) => name.endsWith(".entry"));
    expect(names, "that of the push, and the gate's record").toHaveLength(2);
    const before = fs.readFileSync(join(home(), "gatepost.db"));
    const may = (script: string): boolean => users.as("bob", ["sh", "-c", script], { cwd: home() }).code === 0;
    expect(may("cat gates/before-receive"), "what a gate says is read by whoever it is run for").toBe(true);
    for (const script of [
      ...[
        "ls spool",
        "ls aux",
        "ls spool/bad",
        "cat gatepost.db",
        "cat hooks.json",
        ": >> gatepost.db",
        ": >> hooks.json",
      ],
      ...[
        "mv gatepost.db x",
        "rm -f hooks.json",
        ": > x",
        ": >> gates/before-receive",
        ": > gates/x",
        "rm gates/before-receive",
      ],
      ...[
        ": >> bin/gatepost",
        "rm -f bin/gatepost",
        "mv spool x",
        "rmdir aux",
        `rm -f spool/${names[0]}`,
        `: >> spool/${names[0]}`,
      ],
      ...[`mv spool/${names[0]} spool/x`, "mv spool/bad spool/x", "chmod 777 spool", "rm -f shared"],
    ])
      expect(may(script), script).toBe(false);
    for (const words of [
      ...[
        ["hook", "add", "--type", "after-receive", "--command", "id"],
        ["hook", "edit", "1", "--command", "id"],
        ["hook", "delete", "1"],
      ],
      ...[
        ["hook", "list"],
        ["runs"],
        ["settings", "window", "all"],
        ["backoffice"],
        ["uninstall"],
        ["doctor", "--fix"],
      ],
    ])
      expect(
        users.as("bob", [...gatepost, ...words, ...(words[0] === "backoffice" ? [path] : ["-R", path])], { env }),
        words.join(" "),
      ).toMatchObject({ code: 7 });
    expect(users.as("bob", [...gatepost, "init", path], { env })).toMatchObject({ code: 7 });
    expect(fs.readFileSync(join(home(), "gatepost.db")).equals(before)).toBe(true);
    expect(foreignIn(home(), UIDS.alice)).toEqual([]);
  });

  it("K2: keeps what bob forges in the spool as bob's claim, whoever it names, and moves no ref for it", () => {
    push("bob", "five");
    users.must("alice", [...gatepost, "backoffice", path]);
    const hash = users.must("bob", ["git", "rev-parse", "HEAD"], { cwd: users.of("bob", "clone") });
    const names = ["gl_user root", "remote_user alice"];
    const forged = ["gatepost 1", "kind push", "hook post-receive", `dir ${path}`, ...names, "updates"];
    const lines = [...forged, `${"0".repeat(40)} ${hash} refs/heads/never`, "end 1"];
    users.must("bob", ["sh", "-c", `printf '%s\\n' "$@" > ${home()}/spool/forged.entry`, "sh", ...lines]);
    users.must("alice", [...gatepost, "backoffice", path]);
    const listed = JSON.parse(users.must("alice", [...gatepost, "runs", "--json", "-R", path]));
    const shown = JSON.parse(
      users.must("alice", [...gatepost, "runs", "show", listed.runs[0].id, "--json", "-R", path]),
    );
    expect(shown.receipts).toMatchObject([{ user: "bob", updates: [{ ref: "refs/heads/never", how: "claimed" }] }]);
    expect(read(users.of("alice", "got")).trim().split("\n").at(-1)).toBe("bob alice");
    expect(users.as("alice", ["git", "rev-parse", "--verify", "-q", "refs/heads/never"], { cwd: path }).code).toBe(1);
  });

  it("K3: works under a umask of 777 for one who is not root", () => {
    push("bob", "four");
    const before = read(users.of("alice", "got")).split("\n").length;
    const odd = ["sh", "-c", 'umask 777; exec "$@" <&-', "sh"];
    expect(users.as("alice", [...odd, ...gatepost, "hook", "edit", "1", "-R", path, "--sequence", "3"])).toMatchObject({
      code: 0,
    });
    expect(users.as("alice", [...odd, ...gatepost, "backoffice", path])).toEqual({ stdout: "", stderr: "", code: 0 });
    expect(read(users.of("alice", "got")).split("\n")).toHaveLength(before + 1);
    expect(users.as("alice", [...odd, ...gatepost, "runs", "-R", path])).toMatchObject({ code: 0 });
    expect((fs.statSync(join(home(), "hooks.json")).mode & 0o777).toString(8)).toBe("600");
  });
});
