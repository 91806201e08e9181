import fs from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { identifyGit } from "../../src/vcs/git.ts";
import { commit, git, init, temporary } from "./git-fixture.ts";

const saved = { ...process.env };
afterEach(() => {
  process.env = { ...saved };
});

describe("identifying a repository", () => {
  for (const format of ["sha1", "sha256"] as const)
    test(`finds it from its work tree, a folder in that, and its git directory (${format})`, async () => {
      const at = init({ format });
      commit(at, { "sub/a": "1" });
      const gitDir = path.join(at, ".git");
      const identity = {
        gitDir,
        bare: false,
        workTree: at,
        objectFormat: format,
        hooksDir: path.join(gitDir, "hooks"),
        hooksPathScope: null,
        sharedRepository: false,
        inode: fs.statSync(gitDir).ino,
      };
      for (const given of [at, path.join(at, "sub"), gitDir, path.join(gitDir, "refs")])
        expect(await identifyGit(given)).toEqual(identity);
      const link = path.join(temporary(), "link");
      fs.symlinkSync(at, link);
      expect(await identifyGit(link)).toEqual(identity);
    });

  test("R8: finds a bare one, and a shared one", async () => {
    const at = init({ bare: true });
    expect(await identifyGit(at)).toMatchObject({ gitDir: at, bare: true, workTree: null, sharedRepository: false });
    for (const [value, shared] of [
      ["group", true],
      ["0660", true],
      ["all", true],
      ["umask", false],
      ["0600", false],
      ["false", false],
    ] as const) {
      git(at, ["config", "core.sharedRepository", value]);
      expect([value, (await identifyGit(at)).sharedRepository]).toEqual([value, shared]);
    }
  });

  test("R8: gives a linked work tree the repository it belongs to, bare or not", async () => {
    const at = init();
    commit(at, { a: "1" });
    const linked = path.join(at, "../linked");
    git(at, ["worktree", "add", "-q", linked, "-b", "linked"]);
    const common = { gitDir: path.join(at, ".git"), bare: false, hooksDir: path.join(at, ".git/hooks") };
    expect(await identifyGit(linked)).toMatchObject({ ...common, workTree: linked });
    expect(await identifyGit(path.join(at, ".git/worktrees/linked"))).toMatchObject({ ...common, workTree: at });

    const bare = path.join(temporary(), "bare.git");
    git("/", ["clone", "-q", "--bare", at, bare]);
    git(bare, ["worktree", "add", "-q", `${bare}-linked`, "linked"]);
    expect(await identifyGit(`${bare}-linked`)).toMatchObject({ gitDir: bare, bare: true, workTree: `${bare}-linked` });
  });

  test("R8: finds a submodule's own repository and work tree", async () => {
    const inner = init();
    commit(inner, { a: "1" });
    const outer = init();
    git(outer, ["submodule", "--quiet", "add", inner, "mod"]);
    const identity = { gitDir: path.join(outer, ".git/modules/mod"), bare: false, workTree: path.join(outer, "mod") };
    expect(await identifyGit(path.join(outer, "mod"))).toMatchObject(identity);
    expect(await identifyGit(identity.gitDir)).toMatchObject(identity);
  });

  test("F7 finds the hooks folder whichever scope sets it, and resolves a relative one where the hook would run", async () => {
    const at = init();
    commit(at, { "sub/a": "1" });
    git(at, ["config", "core.hooksPath", ".husky/_"]);
    for (const given of [at, path.join(at, "sub"), path.join(at, ".git")])
      expect(await identifyGit(given)).toMatchObject({
        hooksDir: path.join(at, ".husky/_"),
        hooksPathScope: "local",
      });
    git(at, ["config", "extensions.worktreeConfig", "true"]);
    git(at, ["config", "--worktree", "core.hooksPath", "/own"]);
    expect(await identifyGit(at)).toMatchObject({ hooksDir: "/own", hooksPathScope: "worktree" });

    const home = temporary();
    fs.writeFileSync(path.join(home, ".gitconfig"), "[core]\n\thooksPath = ~/hooks\n");
    process.env["HOME"] = home;
    const other = init();
    expect(await identifyGit(other)).toMatchObject({ hooksDir: path.join(home, "hooks"), hooksPathScope: "global" });
  });

  test("G4 works at a path with blanks, quotes, dollars and a leading dash", async () => {
    const at = path.join(temporary(), "-a b; $(id) 'q' \"r\" é%R");
    init({ at });
    expect(await identifyGit(at)).toMatchObject({ gitDir: path.join(at, ".git"), workTree: at });
  });
});

describe("what cannot be identified", () => {
  test("is no repository: a plain folder, a file, nothing at all", async () => {
    const folder = temporary();
    fs.writeFileSync(path.join(folder, "file"), "");
    for (const given of [folder, path.join(folder, "file"), path.join(folder, "nothing")])
      await expect(identifyGit(given)).rejects.toMatchObject({
        code: "GP_NO_REPOSITORY",
        hint: expect.stringContaining("bare repository"),
      });
  });

  test("G4 is refused with the reason at a path that is not UTF-8 or has a newline", async () => {
    const folder = temporary();
    const raw = Buffer.from(`${folder}/caf\xe9`, "latin1");
    fs.mkdirSync(raw);
    fs.symlinkSync(raw, path.join(folder, "link"));
    git("/", ["init", "-q", path.join(folder, "link")]);
    for (const given of [path.join(folder, "link"), raw.toString("utf8")])
      await expect(identifyGit(given)).rejects.toMatchObject({
        code: "GP_REPOSITORY",
        message: expect.stringContaining("not UTF-8"),
      });
    const newline = init({ at: path.join(folder, "a\nb") });
    await expect(identifyGit(newline)).rejects.toMatchObject({
      code: "GP_REPOSITORY",
      message: expect.stringContaining("newline"),
    });
  });

  test("is refused with git's own reason when git cannot read it", async () => {
    const at = init();
    fs.appendFileSync(path.join(at, ".git/config"), "[core\n");
    await expect(identifyGit(at)).rejects.toMatchObject({
      code: "GP_REPOSITORY",
      message: expect.stringContaining("bad config line"),
    });
  });

  test.runIf(process.getuid?.() === 0)("R7 belongs to another user: said so, with the way out", async () => {
    const at = init();
    for (const one of [at, path.join(at, ".git")]) fs.chownSync(one, 65_534, 65_534);
    process.env["HOME"] = temporary();
    await expect(identifyGit(at)).rejects.toMatchObject({
      code: "GP_NOT_OWNER",
      message: expect.stringContaining(at),
      hint: expect.stringContaining(`safe.directory '${at}'`),
    });
  });

  test("says that git is missing when it is", async () => {
    const at = init();
    process.env["PATH"] = temporary();
    await expect(identifyGit(at)).rejects.toMatchObject({ code: "GP_PROGRAM" });
  });
});
