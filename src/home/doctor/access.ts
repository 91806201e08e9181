/**
 * Who may push into a repository but cannot read its gates. Such a push would be refused: a gate that cannot be read is
 * broken. Judged by owner, group and mode of the repository and of every folder on the way to the compiled files; access
 * control lists and groups that only a directory service knows are not seen.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";

type User = { name: string; uid: number; groups: ReadonlySet<number> };

/** The first folder or file that they cannot read or enter, and whom it keeps out; null when there is none. */
export type KeptOut = { path: string; names: string[] };

/** Looks at `files`, which are below `home`, and at the folders above them. */
export function whoIsKeptOut(repository: string, files: readonly string[]): KeptOut | null {
  const pushers = pushersOf(repository);
  const folders = new Set(files.flatMap(foldersAbove));
  for (const [paths, bits] of [
    [folders, 0o1],
    [files, 0o4],
  ] as const)
    for (const path of paths) {
      const names = pushers.filter((user) => !may(user, path, bits)).map(({ name }) => name);
      if (names.length > 0) return { path, names };
    }
  return null;
}

function foldersAbove(file: string): string[] {
  const folder = dirname(file);
  return folder === file ? [] : [...foldersAbove(folder), folder];
}

/** Whether the user has one of the permission bits (4 read, 2 write, 1 enter). Root may anything. */
function may(user: User, path: string, bit: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || user.uid === 0) return true; // what is not there is another finding
  if (stat.uid === user.uid) return (stat.mode & (bit << 6)) !== 0;
  if (user.groups.has(stat.gid)) return (stat.mode & (bit << 3)) !== 0;
  return (stat.mode & bit) !== 0;
}

/** The users who may write into the repository besides its owner; the group itself where nobody is known to be in it. */
function pushersOf(repository: string): User[] {
  const { uid, gid, mode } = statSync(repository);
  if ((mode & 0o020) === 0) return [];
  const members = readUsers().filter((user) => user.groups.has(gid) && user.uid !== uid && user.uid !== 0);
  if (members.length > 0) return members;
  return [{ name: `members of group ${groupName(gid)}`, uid: -1, groups: new Set([gid]) }];
}

const fieldsOf = (file: string): string[][] => {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch {
    return [];
  }
};

const groupName = (gid: number): string =>
  fieldsOf("/etc/group").find((row) => row[2] === String(gid))?.[0] ?? `${gid}`;

function readUsers(): User[] {
  const groups = fieldsOf("/etc/group");
  return fieldsOf("/etc/passwd").flatMap(([name, , uid, gid]) => {
    if (name === undefined || uid === undefined) return [];
    const more = groups.filter((row) => row[3]?.split(",").includes(name)).map((row) => Number(row[2]));
    return [{ name, uid: Number(uid), groups: new Set([Number(gid), ...more]) }];
  });
}
