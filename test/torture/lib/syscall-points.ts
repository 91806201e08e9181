/**
 * System calls of one program as points to fail or to die at. An untouched run under strace lists them; another run, of
 * which nothing else differs, meets one of them with an error, or with SIGKILL just before it. Only the program's main
 * thread is traced: SQLite, files and starting processes all happen there, and strace counts for each thread by itself.
 */
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { program, type World } from "../../helpers/cli.ts";

/** What a call may fail with. */
export const FAULTS = {
  openat: ["EMFILE", "ENOSPC", "EIO"],
  write: ["ENOSPC", "EIO"],
  pwrite64: ["ENOSPC", "EIO"],
  fsync: ["EIO", "ENOSPC"],
  fdatasync: ["EIO", "ENOSPC"],
  ftruncate: ["ENOSPC", "EIO"],
  rename: ["ENOSPC", "EIO"],
  unlink: ["EIO"],
  mkdir: ["ENOSPC", "EIO"],
  clone: ["EAGAIN"],
  clone3: ["EAGAIN"],
  vfork: ["EAGAIN"],
} as const satisfies Record<string, readonly string[]>;

export type Call = keyof typeof FAULTS;

/** The `number`th call of this name, counted from the start of the program, and what strace said of it. Of writes only
 *  those to `file` count: in between Node wakes itself by others, never as often as the time before. */
export type Place = {
  readonly call: Call;
  readonly number: number;
  readonly line: string;
  readonly file: string | null;
};

/** A place, and what happens there: an error, or "KILL". */
export type Point = Place & { readonly fault: string };

export const describePoint = ({ call, number, fault, line }: Point): string =>
  `${fault} at ${call} ${number} (${line.slice(0, 160)})`;

export type Ended = { code: number | null; signal: string | null; stderr: string; stdout: string };

/** Whether strace is here and may trace. */
export const canTrace = (): boolean => spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

/** Runs gatepost under strace, untouched, and returns its calls from the first that concerns `path`. Left out
 *  are Node's own threads and pipes, which it cannot go on without, and files that are called otherwise each time. */
export async function placesOf(world: World, args: readonly string[], path: string): Promise<Place[]> {
  const trace = world.at(`trace-${process.hrtime.bigint()}`);
  const names = Object.keys(FAULTS).join(",");
  const ended = await run(world, ["-y", "-o", trace, "-e", `trace=${names}`], args);
  if (ended.code !== 0) throw new Error(`the untouched run ended ${ended.code}: ${ended.stderr}`);
  const counts = new Map<string, number>();
  const all = fs
    .readFileSync(trace, "latin1")
    .split("\n")
    .flatMap((line) => {
      const call = /^(\w+)\(/.exec(line)?.[1] as Call | undefined;
      if (call === undefined || !(call in FAULTS)) return [];
      const file = call === "write" ? (/^write\(\d+<([^>]*)>/.exec(line)?.[1] ?? "") : null;
      const key = `${call} ${file}`;
      const number = (counts.get(key) ?? 0) + 1;
      counts.set(key, number);
      return [{ call, number, line, file }];
    });
  const first = all.findIndex(({ line }) => line.includes(path));
  const isSame = ({ line, file }: Place): boolean =>
    !line.includes("CLONE_THREAD") && (file === null || (file.startsWith("/") && !/\.\d+\.new$/.test(file)));
  return all.slice(first).filter(isSame);
}

/** Runs gatepost with that one call struck. */
export function strike(world: World, { call, number, fault, file }: Point, args: readonly string[]): Promise<Ended> {
  const what = fault === "KILL" ? "signal=KILL" : `error=${fault}`;
  const inject = `inject=${call}:${what}:when=${number}`;
  const only = file === null ? [] : ["-P", file];
  return run(world, [...only, "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject], args);
}

/** Far longer than a pass takes. */
const PATIENCE = 60_000;

function run(world: World, words: readonly string[], args: readonly string[]): Promise<Ended> {
  const child = spawn("strace", ["-qq", ...words, process.execPath, program, ...args], {
    cwd: world.dir,
    env: world.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a group of its own: strace alone would leave what it traces
  });
  const patience = setTimeout(() => {
    said.stderr += `it did not end within ${PATIENCE} ms`;
    process.kill(-(child.pid ?? 0), "SIGKILL");
  }, PATIENCE);
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // Not "close": a hook that outlives its backoffice may hold the pipes.
    child.once("exit", (code, signal) => {
      clearTimeout(patience);
      resolve({ code, signal, ...said });
    });
  });
}

/** So many of the points, spread evenly over all of them and the same each time: of each call about as many as of the
 *  others, as far as there are. */
export function sample(points: readonly Point[], count: number): Point[] {
  const byKind = new Map<string, Point[]>();
  for (const point of points) {
    const kind = `${point.call} ${point.fault}`;
    byKind.set(kind, [...(byKind.get(kind) ?? []), point]);
  }
  const groups = [...byKind.values()];
  groups.sort((a, b) => a.length - b.length);
  const chosen: Point[] = [];
  groups.forEach((group, index) => {
    const share = Math.min(group.length, Math.round((count - chosen.length) / (groups.length - index)));
    for (let at = 0; at < share; at++) chosen.push(group[Math.floor(((at + 0.5) * group.length) / share)] as Point);
  });
  return chosen;
}
