/** Git repositories for the benchmarks, made fast: histories by fast-import, many small repositories by writing files. */
import { cpSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layout } from "../../dist/core/layout.js";
import { makeHome } from "../../dist/home/make.js";
import { closeDatabase, write } from "../../dist/store/database.js";
import { putRef } from "../../dist/store/ref.js";
import { addRepository, noteLook } from "../../dist/store/repository.js";
import { openGit } from "../../dist/vcs/git.js";
import { progress } from "./report.mjs";

/** Makes a bare repository with `count` commits in a row, each with a small file; gives their ids, oldest first. */
export function makeChain(place, repository, count) {
  place.run("git", ["init", "-q", "--bare", repository]);
  const lines = [];
  for (let i = 0; i < count; i++) {
    const message = `commit ${i}\n`;
    const content = `content ${i}\n`;
    lines.push(`commit refs/heads/chain\ncommitter Bench <bench@example.org> ${1_700_000_000 + i} +0000`);
    lines.push(`data ${message.length}\n${message}M 100644 inline file.txt\ndata ${content.length}\n${content}`);
  }
  place.git(repository, ["fast-import", "--quiet"], lines.join("\n"));
  return place.git(repository, ["rev-list", "--reverse", "refs/heads/chain"]).split("\n");
}

/** Makes an empty bare repository that has the objects of another. */
export function makeBorrower(place, repository, lender) {
  place.run("git", ["init", "-q", "--bare", repository]);
  writeFileSync(join(repository, "objects/info/alternates"), `${join(lender, "objects")}\n`);
  return repository;
}

/** Makes `count` small bare repositories (a branch, a packed tag; objects borrowed) below `parent`; gives their paths. */
export function makeMany(place, parent, count) {
  const lender = join(parent, "lender.git");
  mkdirSync(parent);
  const [commit] = makeChain(place, lender, 1);
  const model = makeBorrower(place, join(parent, "model.git"), lender);
  place.git(model, ["update-ref", "refs/tags/v1", commit]);
  place.git(model, ["pack-refs", "--all"]);
  place.git(model, ["update-ref", "refs/heads/main", commit]);
  cpSync(join(model, "hooks"), join(parent, "samples"), { recursive: true });
  place.run("rm", ["-rf", join(model, "hooks")]);
  return Array.from({ length: count }, (_, i) => {
    if (i % 100 === 0) progress(`making repositories: ${i} of ${count}`);
    const path = join(parent, `r${String(i).padStart(5, "0")}.git`);
    cpSync(model, path, { recursive: true });
    return path;
  });
}

/**
 * Registers repositories in one home, as `init` does but in one transaction and without starting git for each. Their
 * refs must have been quiet for a second, so that the fingerprints are settled: an idle home.
 */
export async function registerAll(home, paths) {
  mkdirSync(home, { mode: 0o700 });
  const { home: open } = makeHome(home, false);
  const refs = await openGit(paths[0]).readRefs("all");
  write(open.db, () => {
    for (const [i, path] of paths.entries()) {
      const now = Date.now();
      const inode = statSync(path).ino;
      const name = `r${i}`;
      const id = addRepository(open.db, { name, kind: "git", path, inode, workTree: null, objectFormat: "sha1", now });
      for (const [ref, value] of refs) putRef(open.db, id, ref, value);
      const { text, unsure } = openGit(path).fingerprint(null, now);
      if (unsure) throw new Error(`${path} was written to within the last second`);
      noteLook(open.db, { id, fingerprint: text, now });
    }
  });
  closeDatabase(open.db);
  return layout(home);
}
