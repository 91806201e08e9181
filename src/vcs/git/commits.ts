/**
 * Commits and reflogs as data: who made what, when. One git for each call, however long the list; every field ends with
 * NUL, which none of them can hold. Names are the bytes of the commit itself: they are compared with what git exported
 * when it was made. Git's formats turn them into UTF-8 where a commit names another encoding, whatever it is told, so
 * those commits, if there are any, are read once more as they are.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type ByteString, fromBuffer } from "../../core/bytes.ts";
import type { Commit, Person, ReflogEntry, RefRange } from "../repository.ts";
import { ownEnvironment } from "./identity.ts";
import { overWhatIsThere, spanInput, Unwalkable } from "./range.ts";
import { collect, gitFailure, startGit } from "./run.ts";

const COMMIT = ["%H", "%P", "%an", "%ae", "%at", "%cn", "%ce", "%ct", "%s", "%e"];
const ENCODING = COMMIT.length - 1;
const ENTRY = ["%gD", "%gn", "%ge", "%gs"];

const format = (fields: readonly string[]): string[] => [
  `--format=${fields.join("%x00")}`,
  "-z", // the last field ends with NUL as well
  "--no-decorate",
  "--no-notes",
];

/** What the range brought, each once, oldest first as far as dates tell. Values that have vanished are left out. */
export async function readCommits(gitDir: string, range: RefRange): Promise<Commit[]> {
  const walk = async function* (span: Parameters<typeof spanInput>[0]): AsyncGenerator<Buffer> {
    const answer = await collect(startGit(gitDir, ["log", "--stdin", "--reverse", ...format(COMMIT)], spanInput(span)));
    if (answer.code !== 0) throw new Unwalkable(gitFailure(gitDir, "list the commits", answer));
    yield answer.stdout;
  };
  const found: ByteString[][] = [];
  for await (const answer of overWhatIsThere(gitDir, range, walk, () => null))
    found.push(...records(answer, COMMIT.length));
  const asWritten = await readEncoded(gitDir, found);
  return found.map((fields) => commitOf(fields, asWritten));
}

/** All reflogs there are, those of other work trees' HEAD too: one ref after the other, each newest first. Entries whose
 *  commit has vanished are left out. */
export async function readReflogs(gitDir: string): Promise<ReflogEntry[]> {
  const selector = "--date=unix"; // makes %gD name the entry by its time, whatever log.date says
  const fields = [...COMMIT, ...ENTRY];
  const answer = await collect(startGit(gitDir, ["log", "--walk-reflogs", "--all", selector, ...format(fields)]));
  if (answer.code !== 0) throw gitFailure(gitDir, "read the reflogs", answer);
  const found = records(answer.stdout, fields.length);
  const asWritten = await readEncoded(gitDir, found);
  return found.map((record) => {
    const [named = "", name = "", email = "", how = ""] = record.slice(COMMIT.length);
    const [, ref = "", at = "0"] = /^(.*)@\{(\d+)\}$/s.exec(named) ?? [];
    return {
      commit: commitOf(record, asWritten),
      ref: ref as ByteString,
      at: Number(at),
      by: { name, email },
      how,
    } as ReflogEntry;
  });
}

/** Who commits here as far as configuration says; an empty list where it does not. */
export async function configuredPersons(gitDir: string): Promise<Person[]> {
  const git = [
    "--no-pager",
    `--git-dir=${gitDir}`,
    "config",
    "--null",
    "--get-regexp",
    "^(user|committer)\\.(name|email)$",
  ];
  const { capture } = await import("../../process/command.ts");
  // The user's own configuration has the answer; reading one key runs nothing that it names.
  const { code, stdout } = await capture("git", git, { env: ownEnvironment(), cwd: "/" });
  if (code !== 0) return [];
  const values = new Map<string, ByteString>();
  for (const line of fromBuffer(stdout).split("\0")) {
    const end = line.indexOf("\n");
    if (end > 0) values.set(line.slice(0, end), line.slice(end + 1) as ByteString);
  }
  const name = values.get("committer.name") ?? values.get("user.name");
  const email = values.get("committer.email") ?? values.get("user.email");
  return name === undefined || email === undefined ? [] : [{ name, email }];
}

/** When a commit was written, in milliseconds: the time of its file. Null once it is packed. */
export function writtenAt(gitDir: string, hash: string): number | null {
  const file = join(gitDir, "objects", hash.slice(0, 2), hash.slice(2));
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

/** The fields of each record, which all end with NUL. */
function records(output: Buffer, width: number): ByteString[][] {
  const fields = fromBuffer(output).split("\0") as ByteString[];
  const found: ByteString[][] = [];
  for (let at = 0; at + width < fields.length; at += width) found.push(fields.slice(at, at + width));
  return found;
}

type People = Pick<Commit, "author" | "committer">;

/** Author and committer, byte for byte, of those commits that name an encoding. */
async function readEncoded(gitDir: string, found: readonly (readonly ByteString[])[]): Promise<Map<string, People>> {
  const people = new Map<string, People>();
  const asked = [...new Set(found.filter((fields) => fields[ENCODING] !== "").map(([hash = ""]) => hash))];
  if (asked.length === 0) return people;
  const answer = await collect(
    startGit(gitDir, ["cat-file", "--batch"], Buffer.from(`${asked.join("\n")}\n`, "latin1")),
  );
  if (answer.code !== 0) throw gitFailure(gitDir, "read commits", answer);
  const text = fromBuffer(answer.stdout);
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const [, hash = "", size = "0"] = /^(\w+) commit (\d+)$/.exec(text.slice(at, end)) ?? [];
    const header = text.slice(end + 1, end + 1 + Number(size)).split("\n\n", 1)[0] ?? "";
    people.set(hash, { author: personIn(header, "author"), committer: personIn(header, "committer") });
    at = end + 1 + (hash === "" ? 0 : Number(size) + 1);
  }
  return people;
}

function personIn(header: string, line: string): Person {
  const [, name = "", email = ""] = new RegExp(`^${line} (.*?) ?<([^>]*)>`, "m").exec(header) ?? [];
  return { name: name as ByteString, email: email as ByteString };
}

function commitOf(fields: readonly ByteString[], asWritten: ReadonlyMap<string, People>): Commit {
  const [hash, parents, authorName, authorEmail, authoredAt, committerName, committerEmail, committedAt, subject] =
    fields as [string, string, ByteString, ByteString, string, ByteString, ByteString, string, ByteString];
  return {
    hash,
    parents: parents === "" ? [] : parents.split(" "),
    author: { name: authorName, email: authorEmail },
    authoredAt: Number(authoredAt), // empty where the commit has no date that can be read
    committer: { name: committerName, email: committerEmail },
    committedAt: Number(committedAt),
    subject,
    ...asWritten.get(hash),
  };
}
