import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openGit } from "../../src/vcs/git.ts";
import { commit, environment, git, init, linesOf, move, temporary, textOf, ZERO } from "./git-fixture.ts";

/** A repository whose configuration names a program at every place git has for one; each leaves its mark in `canary`. */
function hostile(from: string, gitDir: string): { canary: string } {
  const folder = temporary();
  const canary = path.join(folder, "canary");
  const program = path.join(folder, "program");
  fs.writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> '${canary}'\nexit 1\n`, { mode: 0o755 });
  fs.mkdirSync(path.join(gitDir, "hooks"), { recursive: true });
  for (const hook of ["post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"])
    fs.copyFileSync(program, path.join(gitDir, "hooks", hook));
  const settings: [string, string][] = [
    ["core.fsmonitor", program],
    ["core.pager", program],
    ["pager.log", program],
    ["pager.for-each-ref", program],
    ["core.hooksPath", path.join(gitDir, "hooks")],
    ["core.sshCommand", program],
    ["core.askPass", program],
    ["core.editor", program],
    ["core.alternateRefsCommand", program],
    ["core.gitProxy", program],
    ["core.worktree", "/nonexistent"],
    ["credential.helper", program],
    ["diff.external", program],
    ["diff.evil.textconv", program],
    ["diff.evil.command", program],
    ["filter.evil.clean", program],
    ["filter.evil.process", program],
    ["gpg.program", program],
    ["gpg.ssh.program", program],
    ["log.showSignature", "true"],
    ["log.diffMerges", "separate"],
    ["diff.relative", "true"],
    ["color.ui", "always"],
    ["alias.log", `!${program}`],
    ["alias.rev-list", `!${program}`],
    ["uploadpack.packObjectsHook", program],
    ["protocol.allow", "always"],
    ["protocol.ext.allow", "always"],
    ["protocol.file.allow", "always"],
    ["include.path", path.join(folder, "more")],
    ["remote.origin.url", from],
    ["remote.origin.uploadpack", program],
  ];
  fs.writeFileSync(path.join(folder, "more"), `[core]\n\tpager = ${program}\n\tfsmonitor = ${program}\n`);
  for (const [key, value] of settings) git("/", ["config", "--file", path.join(gitDir, "config"), key, value]);
  fs.writeFileSync(path.join(gitDir, "info/attributes"), "* diff=evil filter=evil\n");
  return { canary };
}

/** The same commit with a signature that git would have checked. */
function signed(at: string, oid: string): string {
  const [head, ...rest] = git(at, ["cat-file", "commit", oid]).split("\n\n");
  const signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----";
  return git(at, ["hash-object", "-t", "commit", "-w", "--stdin"], `${head}\n${signature}\n\n${rest.join("\n\n")}`);
}

describe("G7 a hostile repository configuration", () => {
  test("runs nothing, whatever is read, while a plain git does", async () => {
    const at = init();
    const one = commit(at, { a: "1" });
    const two = signed(at, commit(at, { a: "2" }));
    git(at, ["update-ref", "refs/heads/main", two]);
    const { canary } = hostile("ext::sh -c false", path.join(at, ".git"));
    const repository = openGit(path.join(at, ".git"));
    const range = { moves: [move("refs/heads/main", one, two)], base: [one] };
    expect((await repository.readRefs("all")).size).toBe(1);
    expect(await linesOf(repository.artifacts(range, { trees: true }))).toHaveLength(3);
    expect(await repository.touches(range, ["a"])).toBe(true);
    expect(await textOf(repository.paths(range, []))).toBe("a\0");
    const vanished = { moves: [move("refs/heads/main", one, "f".repeat(40))], base: [one] };
    expect(await textOf(repository.artifacts(vanished))).toContain("gone");
    expect(fs.existsSync(canary)).toBe(false);

    spawnSync("git", [`--git-dir=${path.join(at, ".git")}`, "--work-tree=/", "log", "-1"], { env: environment });
    expect(fs.readFileSync(canary, "utf8")).toContain("program");
  });

  for (const filter of ["blob:none", "tree:0"])
    test(`fetches nothing into a partial clone (${filter}), and lists what is there`, async () => {
      const from = init();
      commit(from, { a: "1" });
      commit(from, { a: "2" });
      git(from, ["config", "uploadpack.allowFilter", "true"]);
      const at = path.join(temporary(), "partial.git");
      git("/", ["clone", "-q", "--bare", `--filter=${filter}`, `file://${from}`, at]);
      const { canary } = hostile(`file://${from}`, at);
      const head = git(from, ["rev-parse", "HEAD"]);
      const range = { moves: [move("refs/heads/main", ZERO, head)], base: [] };
      const lines = await linesOf(openGit(at).artifacts(range));
      expect(lines).toHaveLength(2);
      expect(lines[1]).toContain(`${head} check-in to main`);
      expect(fs.existsSync(canary)).toBe(false);

      spawnSync("git", [`--git-dir=${at}`, "--work-tree=/", "cat-file", "-p", "main:a"], { env: environment });
      expect(fs.readFileSync(canary, "utf8")).toContain("program");
    });

  test("shows what is stored, not what a replacement puts in its place", async () => {
    const at = init();
    const one = commit(at, { a: "1" });
    const two = commit(at, { a: "2" });
    git(at, ["replace", two, one]);
    const range = { moves: [move("refs/heads/main", ZERO, two)], base: [] };
    expect((await linesOf(openGit(path.join(at, ".git")).artifacts(range))).map((line) => line.slice(0, 40))).toEqual([
      one,
      two,
      git(at, ["--no-replace-objects", "rev-parse", `${two}:a`]),
      git(at, ["rev-parse", `${one}:a`]),
    ]);
  });
});
