/**
 * What a repository of the usual kind is, read from its files alone: git takes milliseconds to start, and a thousand
 * repositories are to be registered in seconds.
 *
 * Of the usual kind is one whose configuration says nothing that this reading does not fully know: no include, no
 * core.hooksPath or core.worktree, no extension but the object format, one plain value for whatever matters here, in
 * the repository's own file and in the user's and the system's. Any doubt gives null, and git is asked instead
 * (identity.ts); so a mistake here can only be a repository that git would read otherwise though its text is plain.
 *
 * Proven by test/vcs/git-plain.test.ts, against git.
 */
import fs from "node:fs";
import path from "node:path";
import { stream } from "../../process/command.ts";
import { type Identity, isShared, ownEnvironment } from "./identity.ts";
import { collect } from "./run.ts";

/** Whether the configuration outside of any repository leaves each one to its own file. Asks git, once for many. */
export async function isCommonPlain(): Promise<boolean> {
  // No repository is to have a say, not even one that the root of the file system may be.
  const env = { ...ownEnvironment(), GIT_DIR: "/dev/null" };
  const running = stream("git", ["--no-pager", "config", "--null", "--name-only", "--list"], { env, cwd: "/" });
  running.stdin.end();
  const { code, stdout } = await collect(running);
  return (
    code === 0 &&
    !stdout
      .toString("utf8")
      .split("\0")
      .some((name) => MATTERS.test(name))
  );
}

const MATTERS =
  /^(?:core\.(?:bare|worktree|hookspath|sharedrepository|repositoryformatversion)|safe\.barerepository|extensions\..*|includeif\..*)$/i;

/** The identity of the repository whose Git directory that is, a real path; null where git must be asked. `commonPlain` as
 *  `isCommonPlain` says. Changes nothing. */
export function plainIdentity(gitDir: string, commonPlain: boolean): Identity | null {
  if (!commonPlain || /[\n\ufffd]/.test(gitDir)) return null;
  try {
    return readPlain(gitDir);
  } catch {
    return null; // git has a sentence for it
  }
}

function readPlain(gitDir: string): Identity | null {
  const at = (name: string): string => path.join(gitDir, name);
  const is = (name: string, kind: "isFile" | "isDirectory"): boolean =>
    fs.lstatSync(at(name), { throwIfNoEntry: false })?.[kind]() === true;
  if (!is("HEAD", "isFile") || !is("objects", "isDirectory") || !is("refs", "isDirectory")) return null;
  if (["commondir", "gitdir", "config.worktree", "reftable"].some((name) => fs.existsSync(at(name)))) return null;
  if (!/^(?:ref: refs\/[^\n]+|[0-9a-f]{40}|[0-9a-f]{64})\n?$/.test(fs.readFileSync(at("HEAD"), "latin1"))) return null;
  const settings = plainSettings(fs.readFileSync(at("config"), "latin1"));
  if (settings === null) return null;
  const of = (name: string): string | undefined => settings.get(name);
  const bare = of("core.bare");
  const isDotGit = path.basename(gitDir) === ".git";
  if (!/^[01]$/.test(of("core.repositoryformatversion") ?? "") || !/^(?:true|false)$/.test(bare ?? "")) return null;
  if ((bare === "true") === isDotGit) return null;
  const objectFormat = of("extensions.objectformat") ?? "sha1";
  if (objectFormat !== "sha1" && objectFormat !== "sha256") return null;
  return {
    gitDir,
    bare: bare === "true",
    workTree: bare === "true" ? null : path.dirname(gitDir),
    objectFormat,
    hooksDir: at("hooks"),
    hooksPathScope: null,
    sharedRepository: isShared(of("core.sharedrepository")),
    inode: fs.statSync(gitDir).ino,
  };
}

const KNOWN = new Set([
  ...["core.bare", "core.repositoryformatversion", "core.sharedrepository", "extensions.objectformat"],
]);

/** The settings that matter, from a configuration file in which nothing else that matters is set and every line can be
 *  read by itself; else null. */
function plainSettings(text: string): Map<string, string> | null {
  const found = new Map<string, string>();
  let section = "";
  for (const line of text.split("\n")) {
    if (/^[ \t]*(?:[#;].*)?$/.test(line)) continue;
    if (/[\\\r\0]/.test(line)) return null; // it may go on in the next line
    const head = /^[ \t]*\[([A-Za-z0-9.-]+)( "[^"]*")?\][ \t]*$/.exec(line);
    if (head !== null) {
      section = (head[1] ?? "").toLowerCase();
      if (/^(?:include|includeif)$/.test(section) || /^(?:core|extensions)\./.test(section)) return null;
      if (head[2] !== undefined && /^(?:core|extensions)$/.test(section)) return null; // not what is set below [core]
      continue;
    }
    if (line.includes('"')) return null; // where a quote does not end, git reads nothing of the file
    const pair = /^[ \t]*([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=[ \t]*(.*?)[ \t]*)?$/.exec(line);
    if (pair === null) return null;
    const name = `${section}.${(pair[1] ?? "").toLowerCase()}`;
    if (!MATTERS.test(name)) continue;
    if (!KNOWN.has(name) || found.has(name) || !/^[A-Za-z0-9]+$/.test(pair[2] ?? "")) return null;
    found.set(name, pair[2] ?? "");
  }
  return found;
}
