/**
 * What a shell offers where the name of something in a home is wanted: hooks, repositories, runs.
 *
 * It is asked at each press of TAB, of whatever folder the shell stands in, by somebody who has not yet called anything.
 * So it only reads: a database of an older version is not brought up to date, `<home>/bin/gatepost` is not mended, gate
 * records are not stored, no git is started. And it must be quick: it loads no more than the tables it reads.
 * It may throw; the caller offers nothing then.
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { runName } from "../backoffice/trial.ts";
import { covers } from "../core/hook.ts";
import { layout } from "../core/layout.ts";
import { SETTINGS } from "../core/settings.ts";
import { type Database, lookInto, SCHEMA_VERSION, versionAt } from "../store/database.ts";
import { listHooks } from "../store/hook.ts";
import { listRepositories, type RepositoryRow } from "../store/repository.ts";
import { findRuns } from "../store/run-view.ts";
import { locate } from "./locate.ts";
import { requireSafe } from "./open.ts";

/** A word, and what it stands for, for shells that show it. */
export type Candidate = { word: string; says: string };

/** Enough to choose from by eye. */
const RUNS = 50;

/** What can stand for a thing of that kind in a call whose other words are `words`. Nothing for a kind that is none. */
export function candidates(kind: string, words: readonly string[], cwd: string): Candidate[] {
  if (kind === "values") return valuesFor(words);
  const [home, repository] = [optionIn(words, "--home"), optionIn(words, "--repository", "-R")];
  const located = locate({
    home: home === undefined ? undefined : fromTilde(home),
    repository: repository === undefined ? undefined : fromTilde(repository),
    cwd,
  });
  const { database } = layout(located.home);
  requireSafe(located.home);
  if (versionAt(database) !== SCHEMA_VERSION) return [];
  return lookInto(database, (db) => {
    const rows = listRepositories(db);
    const named = (row: RepositoryRow): boolean => row.path === located.repository || row.name === located.repository;
    return things(db, kind, rows, rows.find(named) ?? null);
  });
}

function things(db: Database, kind: string, rows: readonly RepositoryRow[], at: RepositoryRow | null): Candidate[] {
  if (kind === "repositories") return rows.map(({ name, path }) => ({ word: name, says: path }));
  if (kind === "hooks")
    return listHooks(db)
      .filter(({ scope }) => at === null || covers(scope, at))
      .flatMap(({ id, name, type, command }) => {
        const says = `${type}: ${command ?? ""}`;
        return [...(name === null ? [] : [{ word: name, says }]), { word: String(id), says }];
      });
  const states = kind === "held-runs" ? ["waiting", "parked"] : null;
  if (states === null && kind !== "runs") return [];
  const filter = { repository: at?.id ?? null, hook: null, states, since: null, after: null, limit: RUNS };
  return findRuns(db, filter).map((run) => ({
    word: runName(run),
    says: `${run.hookName ?? `hook ${run.hook}`}, ${run.state}`,
  }));
}

/** Words that the setting whose name is the last of `words` takes. A length or a count is nothing to choose from. */
function valuesFor(words: readonly string[]): Candidate[] {
  const name = words.at(-1) ?? "";
  const setting = Object.entries(SETTINGS).find(([known]) => known === name)?.[1];
  if (setting === undefined) return [];
  return ["on", "off", "all", "public", "auto"].filter(setting.accepts).map((word) => ({ word, says: "" }));
}

/** The value of the last such option, written in whichever way; undefined where there is none. */
function optionIn(words: readonly string[], long: string, short?: string): string | undefined {
  let value: string | undefined;
  const names = [long, long.slice(1), short];
  for (const [at, word] of words.entries()) {
    if (word === "--") break;
    const [, name = "", given] = /^(--?[a-z]+)=(.*)$/s.exec(word) ?? [];
    if (names.includes(word)) value = words[at + 1];
    else if (names.includes(name)) value = given;
    else if (short !== undefined && word.startsWith(short) && word.length > short.length) value = word.slice(2);
  }
  return value;
}

/** A shell does not put the home directory in for "~" before it completes. */
const fromTilde = (path: string): string => (/^~(?:\/|$)/.test(path) ? resolve(join(homedir(), path.slice(1))) : path);
