/** One Fossil repository with a check-out for all tests of a file that list artifacts, made by fossil before the first. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, beforeAll, expect } from "vitest";
import { listArtifacts } from "../../src/vcs/fossil/listing.ts";
import { readFossil } from "../../src/vcs/fossil/open.ts";
import type { Span } from "../../src/vcs/repository.ts";
import { FossilPlace, listedByFossil, put } from "../helpers/fossil-place.ts";

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "vcs-fossil-")));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

export const place = new FossilPlace(folder);
export const repository = place.path("r.fossil");
const checkout = place.path("checkout");
export const DATE = "2026-01-02 03:04:05";

beforeAll(async () => {
  await place.must(["init", repository]);
  await place.must(["hook", "add", "--type", "after-receive", "--command", "x", "-R", repository]);
  fs.mkdirSync(checkout);
  await fossil("open", repository);
});

export const fossil = (...args: string[]): Promise<Buffer> => place.must(args, { cwd: checkout });
export const said = (input: string, ...args: string[]): Promise<Buffer> => place.must(args, { cwd: checkout, input });
export const store = (text: string, isArtifact = true): Promise<string> =>
  put(text, isArtifact, (args) => fossil(...args), checkout);
export const write = (name: string, content: string): void => {
  fs.mkdirSync(path.dirname(path.join(checkout, name)), { recursive: true });
  fs.writeFileSync(path.join(checkout, name), content);
};
export const commit = async (...options: string[]): Promise<string> => {
  await fossil("addremove");
  await fossil("commit", "-m", "m", "--no-warnings", "--hash", "--allow-older", "--date-override", DATE, ...options);
  return one("SELECT uuid FROM blob JOIN event ON rid = objid WHERE type = 'ci' ORDER BY rid DESC LIMIT 1");
};

export function query<T>(sql: string, file = repository): T[] {
  const db = new BetterSqlite3(file, { readonly: true });
  try {
    return db.prepare(sql).pluck().all() as T[];
  } finally {
    db.close();
  }
}
export const one = <T = string>(sql: string): T => query<T>(sql)[0] as T;
export const newest = (): number => one<number>("SELECT max(rcvid) FROM rcvfrom");

export const list = (spans: readonly Span[], file = repository): Promise<Buffer[]> =>
  readFossil(file, (db) => [...listArtifacts(db, { spans })]);
export const listed = async (spans: readonly Span[]): Promise<string> =>
  Buffer.concat(await list(spans)).toString("latin1");
export const bytes = (text: string): string => Buffer.from(text).toString("latin1");

/** What `work` brought: the descriptions, after a look whether fossil says the same. */
export async function descriptionsOf(work: () => Promise<unknown>): Promise<string[]> {
  const base = newest();
  await work();
  return descriptionsAfter(base);
}

export async function descriptionsAfter(base: number): Promise<string[]> {
  const ours = await listed([{ after: base, upto: newest(), rows: null }]);
  expect(ours).toBe((await listedByFossil(place, repository, base, newest())).toString("latin1"));
  return ours.split(/\n(?=[0-9a-f]{40,64} |$)/).flatMap((line) => (line === "" ? [] : [line.replace(/^\w+ /, "")]));
}
