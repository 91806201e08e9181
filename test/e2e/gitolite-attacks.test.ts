/** A real gitolite whose LOCAL_CODE goes away and comes back: who may do what stays as it was, and the gates come back. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { gitoliteShell, makeGitolite } from "../helpers/gitolite.ts";

const shell = gitoliteShell();
const world = makeWorld("gatepost-gitolite-");
afterAll(() => world.remove());

const CONF = "repo gitolite-admin\n    RW+ = alice\nrepo app\n    RW+ = alice\n    RW topic/ = bob\n";

describe.skipIf(shell === null)("a gitolite without the LOCAL_CODE that it had", () => {
  it("gets shims in each repository from init, and common ones again when it has it again", () => {
    const gitolite = makeGitolite(world, shell ?? "");
    const admin = gitolite.clone("alice", "gitolite-admin");
    fs.writeFileSync(join(admin, "conf/gitolite.conf"), CONF);
    expect(gitolite.push("alice", admin, "refs/heads/master")).toMatchObject({ code: 0 });
    const app = join(gitolite.repositories, "app.git");
    const home = world.at("gatepost");
    const init = () => expect(world.gatepost(["init", "--home", home, app])).toMatchObject({ code: 0 });
    const local = 'LOCAL_CODE => "$ENV{HOME}/local",';
    const clone = gitolite.clone("alice", "app");
    let count = 0;
    /** What becomes of what is allowed, what a gate refuses, and what gitolite denies. */
    const pushes = (): (number | null)[] => {
      count += 1;
      return [
        gitolite.push("alice", clone, `refs/heads/yes${count}`),
        gitolite.push("bob", clone, `refs/heads/topic/${count}`),
        gitolite.push("alice", clone, `refs/heads/no${count}`),
        gitolite.push("bob", clone, `refs/heads/yes${count}`),
        gitolite.as("mallory", ["ls-remote", "git:app"]),
      ].map(({ code }) => code);
    };
    const asked = [0, 0, 1, 1, 128];
    const own = (): boolean => fs.lstatSync(join(app, "hooks", "pre-receive")).isFile();

    gitolite.set(local);
    init();
    expect(world.gatepost(["settings", "automatic-backoffice", "off", "--home", home]).code).toBe(0);
    const add = ["hook", "add", "--home", home, "--all", "--type", "before-receive", "--command"];
    expect(world.gatepost([...add, "! grep -q refs/heads/no", "--stdin", "updates"])).toMatchObject({ code: 0 });
    expect([pushes(), own()]).toEqual([asked, false]);

    fs.writeFileSync(gitolite.rc, fs.readFileSync(gitolite.rc, "utf8").replace(`    ${local}\n`, ""));
    expect(pushes()).toEqual(asked);
    init();
    expect([pushes(), own()]).toEqual([asked, true]);
    expect(fs.readdirSync(join(app, "hooks")).filter((name) => name.endsWith(".its-own"))).toEqual([]);
    expect(gitolite.run("setup")).toMatchObject({ code: 0 });
    expect(pushes()).toEqual(asked);

    gitolite.set(local);
    init();
    expect(gitolite.run("setup")).toMatchObject({ code: 0 });
    expect([pushes(), own()]).toEqual([asked, false]);
    expect(world.gatepost(["doctor", "-R", app])).toMatchObject({ code: 0 });
  });
});
