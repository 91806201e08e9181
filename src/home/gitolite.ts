/**
 * gitolite's repositories: how they are known, where their shims go, and what is to be put into .gitolite.rc.
 *
 * A repository is gitolite's where its `update` hook is a link to gitolite's own. Which folder its administrator's common
 * hooks are in, gitolite itself says (`gitolite query-rc LOCAL_CODE`); it is asked once for each state of .gitolite.rc.
 * Where there is none, shims stand in each repository, as elsewhere, which `gitolite setup` leaves there.
 *
 * The link `update` is never replaced: where it is not there as it was, gitolite denies everybody everything (3.6.12, seen).
 * What is done in the common folder: shim/gitolite.ts. Proven by test/e2e/gitolite.test.ts.
 */
import { existsSync, lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { capture } from "../process/command.ts";
import { commonNames, isLinked, removeCommon, TRIGGER, unlinkFrom } from "../shim/gitolite.ts";
import {
  type HooksFolder,
  hooksFolders,
  listRepositories,
  putHooksFolders,
  type RepositoryRow,
} from "../store/repository.ts";
import { hooksFoldersOf, type Identity } from "../vcs/git.ts";
import { FIX, type Finding, failure, fine, warning } from "./doctor/finding.ts";
import { LOCAL_CODE_LINE, TRIGGER_LINE, unaskedRefs } from "./gitolite-rc.ts";
import type { OpenHome } from "./open.ts";

type Gitolite = {
  /** LOCAL_CODE/hooks/common; null where LOCAL_CODE is not set. */
  common: string | null;
  rc: string;
  /** The folder of all repositories. */
  base: string | null;
  /** .gitolite.rc lists our program for ACCESS_2. */
  trigger: boolean;
};

/** The home of the user whose gitolite linked its `update` hook into this repository; null where none did. */
export function gitoliteUser(gitDir: string): string | null {
  const update = join(gitDir, "hooks", "update");
  if (!lstatSync(update, { throwIfNoEntry: false })?.isSymbolicLink()) return null;
  return /^(\/.*)\/\.gitolite\/hooks\/common\/update$/.exec(readlinkSync(update))?.[1] ?? null;
}

const asked = new Map<string, { stamp: string; answer: Promise<Gitolite> }>();

/** The gitolite that a repository belongs to; null where it is none's. */
export async function gitoliteOf(gitDir: string): Promise<Gitolite | null> {
  const user = gitoliteUser(gitDir);
  if (user === null) return null;
  const rc = join(user, ".gitolite.rc");
  const stat = statSync(rc, { throwIfNoEntry: false });
  const stamp = `${stat?.mtimeMs} ${stat?.size} ${stat?.ino}`;
  const known = asked.get(user);
  if (known?.stamp === stamp) return known.answer;
  const answer = ask(user, rc);
  asked.set(user, { stamp, answer });
  return answer;
}

async function ask(user: string, rc: string): Promise<Gitolite> {
  // Its settings are a program, which only their owner runs.
  const isOwn = statSync(rc, { throwIfNoEntry: false })?.uid === process.geteuid?.();
  const query = async (name: string): Promise<string | null> => {
    if (!isOwn) return null;
    try {
      const env = { HOME: user, PATH: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin" };
      const { code, stdout } = await capture("gitolite", ["query-rc", name], { env, cwd: "/" });
      return code === 0 ? stdout.toString("utf8").trim() : null;
    } catch {
      return null; // no such program here
    }
  };
  const [local, base, listed] = await Promise.all(["LOCAL_CODE", "GL_REPO_BASE", "ACCESS_2"].map(query));
  return {
    common: local?.startsWith("/") ? join(local, "hooks", "common") : null,
    ...{ rc, base: base ?? null },
    trigger: (listed ?? "").split(/\s+/).includes(TRIGGER),
  };
}

/** Where the shims of a repository go: as Git has it; of gitolite's, into the folder that gitolite links from. */
export async function foldersOf(identity: Identity): Promise<HooksFolder[]> {
  const folders = await hooksFoldersOf(identity);
  const gitolite = await gitoliteOf(identity.gitDir);
  return gitolite === null ? folders : folders.map((folder) => inCommon(folder, identity.gitDir, gitolite));
}

function inCommon(folder: HooksFolder, gitDir: string, { common, rc, base, trigger }: Gitolite): HooksFolder {
  if (folder.path !== join(gitDir, "hooks")) return folder;
  if (common === null) return { ...folder, gitolite: { rc, base, trigger: false } };
  return { path: common, use: "everyone", gitolite: { rc, base, trigger } };
}

/** The folder that gitolite links from, where there is one among these. */
export const commonOf = (folders: readonly HooksFolder[]): HooksFolder | undefined => folders.find(isCommonOne);

/** Whether this is such a folder, and not one of a gitolite without LOCAL_CODE. */
export const isCommonOne = ({ use, gitolite }: HooksFolder): boolean => gitolite !== undefined && use === "everyone";

/** Other repositories of the home and the same gitolite, which have shims of their own: gitolite's setup would fail at
 *  them once there are common ones. In a transaction, before the gates are refreshed. */
export function bringSiblings(home: OpenHome, row: RepositoryRow, common: HooksFolder): void {
  const user = gitoliteUser(row.path);
  for (const other of listRepositories(home.db)) {
    const own = hooksFolders(other);
    if (other.id === row.id || other.kind !== "git" || gitoliteUser(other.path) !== user) continue;
    if (own.every(({ path, use }) => use === "left" || path !== join(other.path, "hooks"))) continue;
    putHooksFolders(
      home.db,
      other.id,
      own.map((folder) => (folder.path === join(other.path, "hooks") ? common : folder)),
    );
  }
}

/** What whoever registers one of gitolite's repositories is to know. */
export function gitoliteNotes(gitolite: Gitolite | null): string[] {
  if (gitolite === null) return [];
  const { common, rc, trigger } = gitolite;
  if (common === null)
    return [
      `gitolite has no LOCAL_CODE, so shims stand in each repository, new ones have none, and before-ref hooks are not asked. Put into ${rc}: ${LOCAL_CODE_LINE} then: gatepost init again.`,
    ];
  const rest = trigger ? "" : ` For before-ref hooks put into ${rc}: ${TRIGGER_LINE}`;
  return [`gitolite: shims stand once, in ${common}, from where gitolite links them into every repository.${rest}`];
}

/** What is to be said of one of gitolite's repositories. `gates`: how many hooks each type has; null: nobody knows. */
export async function gitoliteFindings(
  gitDir: string,
  folders: readonly HooksFolder[],
  gates: ReadonlyMap<string, number> | null,
): Promise<Finding[]> {
  const gitolite = await gitoliteOf(gitDir);
  const folder = folders.find((one) => one.gitolite !== undefined);
  if (gitolite === null || folder === undefined) return [];
  const [note = ""] = gitoliteNotes({ ...gitolite, trigger: true });
  const common = isCommonOne(folder);
  const findings: Finding[] = [
    common ? fine("gitolite", note) : warning("gitolite", note, `${LOCAL_CODE_LINE} in ${gitolite.rc}; ${FIX}`),
  ];
  const unasked = unaskedRefs(folder);
  if ((gates?.get("before-ref") ?? 0) > 0)
    findings.push(
      unasked === null
        ? fine("update", `gitolite's update hook asks our gate, as ${TRIGGER}, after it has let the pusher pass.`)
        : failure(
            "update",
            `${unasked}. Until then before-ref hooks do not run.`,
            `${TRIGGER_LINE} in ${gitolite.rc}; ${FIX}`,
          ),
    );
  return common ? [...findings, ...linkFindings(gitDir, folder.path)] : findings;
}

/** What of the common folder a repository does not run. */
function linkFindings(gitDir: string, common: string): Finding[] {
  const hooks = join(gitDir, "hooks");
  return [...commonNames(common), "gatepost"].flatMap((name) => {
    if (isLinked(hooks, common, name)) return [];
    if (lstatSync(join(hooks, name), { throwIfNoEntry: false }) === undefined)
      return [failure(name, `${name} of ${gitDir} is not linked to our shim.`, FIX)];
    return [
      failure(
        name,
        `${name} of ${gitDir} is its own, so our shim is not run there.`,
        "gitolite setup (it keeps nothing of such a file), or move it away",
      ),
    ];
  });
}

/** Takes everything of ours out of a gitolite: the common folder, and the links of all repositories to it. */
export function removeFromGitolite(folder: HooksFolder, gitDir: string): string[] {
  const names = commonNames(folder.path);
  const base = folder.gitolite?.base ?? null;
  const removed = removeCommon(folder.path);
  // Links to what stands there still, an earlier hook that is common again, are gitolite's.
  const gone = names.filter((name) => !existsSync(join(folder.path, name)));
  for (const hooks of new Set([join(gitDir, "hooks"), ...(base === null ? [] : hooksBelow(base))]))
    unlinkFrom(hooks, folder.path, gone);
  return removed;
}

/** The hooks folders of the repositories below a folder. */
function hooksBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) return [];
      return entry.name.endsWith(".git") ? [join(path, "hooks")] : hooksBelow(path);
    });
  } catch {
    return [];
  }
}
