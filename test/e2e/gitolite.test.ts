/** A real gitolite: shims once for all of its repositories, and its access control as it was. */
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorld } from "../helpers/cli.ts";
import { type Gitolite, gitoliteShell, makeGitolite } from "../helpers/gitolite.ts";

const shell = gitoliteShell();
const world = makeWorld("gatepost-gitolite-");
afterAll(() => world.remove());

const CONF = `
repo gitolite-admin
    RW+ = alice
repo app
    RW+ = alice
    RW topic/ = bob
repo wild/CREATOR/..*
    C = bob
    RW+ = CREATOR
`;

/** A hook that the administrator has for all repositories. */
const COMMON = '#!/bin/sh\necho "the common hook of $GL_REPO"\n';

describe.skipIf(shell === null)("a gitolite", () => {
  let gitolite: Gitolite;
  let admin = "";
  const home = world.at("gatepost");
  const gatepost = (...args: string[]) => world.gatepost(args);
  const init = () => gatepost("init", "--home", home, repository("app"), repository("gitolite-admin"));
  const repository = (name: string): string => join(gitolite.repositories, `${name}.git`);
  const link = (name: string, hook: string): string => fs.readlinkSync(join(repository(name), "hooks", hook));
  const configure = (conf: string): void => {
    fs.writeFileSync(join(admin, "conf/gitolite.conf"), conf);
    const pushed = gitolite.push("alice", admin, "refs/heads/master");
    expect(pushed).toMatchObject({ code: 0 });
  };
  const commonFiles = (): string =>
    world.run(["sh", "-c", "cat ~/.gitolite/hooks/common/*; ls -1R ~/.gitolite/hooks"]).stdout;

  beforeAll(() => {
    gitolite = makeGitolite(world, shell ?? "");
    admin = gitolite.clone("alice", "gitolite-admin");
    configure(CONF);
  });

  it("gets shims in each repository while it has no LOCAL_CODE, and is told the line", () => {
    const before = commonFiles();
    const { code, stdout } = init();
    expect([code, stdout]).toEqual([0, expect.stringContaining('LOCAL_CODE => "$ENV{HOME}/local",')]);
    expect(gatepost("settings", "automatic-backoffice", "off", "--home", home).code).toBe(0);
    const add = ["hook", "add", "--home", home, "--all", "--command"];
    expect(
      gatepost(...add, "if read -r o n r && [ $r = refs/heads/no ]; then exit 1; fi", "--type", "before-receive").code,
    ).toBe(0);
    expect(
      gatepost(...add, "case $1 in */topic/bad) exit 1 ;; esac", "--type", "before-ref", "--name", "refs").code,
    ).toBe(0);
    const log = world.at("log");
    const note = `echo "$GL_USER $GL_REPO $(cat)" >>${log}`;
    expect(gatepost(...add, note, "--type", "after-receive", "--each", "receipt", "--stdin", "updates").code).toBe(0);
    const clone = gitolite.clone("alice", "app");
    expect(gitolite.push("alice", clone, "refs/heads/main")).toMatchObject({ code: 0 });
    expect(gitolite.push("alice", clone, "refs/heads/no").code).toBe(1);
    expect(gitolite.push("alice", clone, "refs/heads/topic/bad").code).toBe(0); // gitolite has no place for it yet
    expect(gitolite.push("bob", clone, "refs/heads/main").stderr).toContain("DENIED");
    expect(commonFiles()).toBe(before);
    expect(gatepost("doctor", "-R", repository("app")).stdout).toContain("has no LOCAL_CODE");
  });

  it("gets them once, in LOCAL_CODE, when it has one, and links them itself from then on", () => {
    const before = commonFiles();
    gitolite.set('LOCAL_CODE => "$ENV{HOME}/local",');
    fs.mkdirSync(gitolite.common, { recursive: true });
    fs.writeFileSync(join(gitolite.common, "post-receive"), COMMON, { mode: 0o755 });
    const { code, stdout } = init();
    expect([code, stdout]).toEqual([0, expect.stringContaining(`shims stand once, in ${gitolite.common}`)]);
    expect(stdout).toContain("ACCESS_2 => [ 'gatepost-update' ],");
    for (const name of ["app", "gitolite-admin"])
      for (const hook of ["pre-receive", "post-receive", "gatepost"])
        expect(link(name, hook)).toBe(join(gitolite.common, hook));
    expect(link("app", "update")).toContain(".gitolite/hooks/common/update");
    const { stdout: says, code: wrong } = gatepost("doctor", "-R", repository("app"));
    expect([wrong, says]).toEqual([1, expect.stringContaining("before-ref hooks do not run")]);
    expect(gitolite.run("setup")).toMatchObject({ code: 0 });
    expect(commonFiles()).toBe(before);
    expect(fs.lstatSync(join(gitolite.common, "pre-receive")).isFile()).toBe(true);
  });

  it("asks the gates after its setup, and lets nobody pass whom it denied", () => {
    gitolite.set("ACCESS_2 => [ 'gatepost-update' ],");
    expect(init().code).toBe(0);
    expect(gitolite.run("setup")).toMatchObject({ code: 0 });
    const clone = world.at("app-alice");
    const refused = gitolite.push("alice", clone, "refs/heads/no");
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("pre-receive hook declined")]);
    const partly = gitolite.push("bob", clone, "refs/heads/topic/bad", "refs/heads/topic/good", "refs/heads/main");
    expect(partly.stderr).toMatch(/remote rejected.* -> topic\/bad \(hook declined\)/);
    expect(partly.stderr).toMatch(/new branch.* -> topic\/good/);
    expect(partly.stderr).toMatch(/remote rejected.* -> main \(hook declined\)/);
    expect(partly.stderr).toContain("refs/heads/main app bob DENIED");
    expect(partly.stderr).toContain("the common hook of app");
    expect(gitolite.as("mallory", ["ls-remote", "git:app"]).stderr).toContain("DENIED by fallthru");
    expect(gatepost("backoffice", "--home", home).code).toBe(0);
    expect(fs.readFileSync(world.at("log"), "utf8")).toMatch(/^bob app 0{40} [0-9a-f]{40} refs\/heads\/topic\/good$/m);
    expect(gatepost("doctor", "-R", repository("app")).code).toBe(0);
  });

  it("covers a repository that is made later, from when it is registered", () => {
    configure(`${CONF}\nrepo later\n    RW+ = alice\n`);
    const wild = world.workTree("wild");
    for (const [user, name, clone] of [
      ["alice", "later", gitolite.clone("alice", "later")],
      ["bob", "wild/bob/one", wild],
    ] as const) {
      if (user === "bob") world.git(["remote", "add", "origin", "git:wild/bob/one"], { cwd: wild });
      expect(gitolite.push(user, clone, "refs/heads/no")).toMatchObject({ code: 0 });
      expect(link(name, "pre-receive")).toBe(join(gitolite.common, "pre-receive"));
      expect(gatepost("init", "--home", home, repository(name)).code).toBe(0);
      expect(gitolite.push(user, clone, "refs/heads/no").code).toBe(1);
    }
  });

  it("says of a repository whose own hook hides the shim that it does, and keeps that hook over gitolite's setup", () => {
    const own = join(repository("app"), "hooks", "pre-receive");
    fs.rmSync(own);
    fs.writeFileSync(own, "#!/bin/sh\n", { mode: 0o755 });
    const { code, stdout } = gatepost("doctor", "-R", repository("app"));
    expect([code, stdout]).toEqual([1, expect.stringContaining("pre-receive of")]);
    expect(init().code).toBe(0);
    expect(gitolite.run("setup").code).toBe(0);
    expect(link("app", "pre-receive")).toBe(join(gitolite.common, "pre-receive"));
    expect(fs.readFileSync(`${own}.its-own`, "utf8")).toBe("#!/bin/sh\n");
    expect(gatepost("doctor", "-R", repository("app")).code).toBe(0);
  });

  it("is as it was after uninstall, with the common hook that stood there", () => {
    const names = ["app", "gitolite-admin", "later", "wild/bob/one"];
    const ends = names.map((name) => gatepost("uninstall", "-R", repository(name)));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const told = ends.map(({ stderr }) =>
      /^gitolite warns .* Take out of \S+\.gitolite\.rc: gatepost-update$/m.test(stderr),
    );
    expect(told, "with the last one the program is gone, and its line is not").toEqual([false, false, false, true]);
    for (const name of names.slice(1))
      expect(
        fs
          .readdirSync(join(repository(name), "hooks"))
          .filter((file) => !file.endsWith(".sample"))
          .sort(),
      ).toEqual(name === "gitolite-admin" ? ["post-receive", "post-update", "update"] : ["post-receive", "update"]);
    expect(fs.readFileSync(join(repository("app"), "hooks", "pre-receive"), "utf8")).toBe("#!/bin/sh\n");
    expect(fs.readdirSync(gitolite.common)).toEqual(["post-receive"]);
    expect(fs.readFileSync(join(gitolite.common, "post-receive"), "utf8")).toBe(COMMON);
    expect(fs.readdirSync(join(gitolite.common, "../../triggers"))).toEqual([]);
    expect(gitolite.run("setup")).toMatchObject({ code: 0 });
    expect(gitolite.push("alice", world.at("app-alice"), "refs/heads/no").code).toBe(0);
  });
});
