/**
 * How fast a batch of 1,000,000 objects is listed to a hook, against `git rev-list --objects` piped to the same reader,
 * and how much memory Gatepost needs for it.
 *
 * The history is that of a busy repository: 100 folders of 50 files, each commit changes four files of one folder, which
 * makes seven objects. It is built once and kept in the folder for temporary files. The list leaves out trees unless
 * a hook asks for them (--trees), so both are measured: the first is what users get, the second has a line for every
 * object. Time is the attempt's, from the start of the hook's process to its end; CPU and memory are the whole pass's.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timed } from "./lib/account.mjs";
import { digits, median, pairedRatio } from "./lib/figures.mjs";
import { makePlace, program } from "./lib/place.mjs";
import { claim, progress, table } from "./lib/report.mjs";
import { makeBorrower } from "./lib/repositories.mjs";
import { rounds } from "./lib/rounds.mjs";

export const title = "a batch of 1,000,000 objects listed to a hook, against git rev-list --objects";

const FOLDERS = 100;
const FILES = 50;
const CHANGES = 4;
const OBJECTS_OF_A_COMMIT = CHANGES + 3;
const REF = "refs/heads/main";
const noteMemory = new URL("lib/note-memory.mjs", import.meta.url).href;

export async function measure({ seed, quick }) {
  const place = makePlace();
  const objects = quick ? 50_000 : 1_000_000;
  const count = quick ? 2 : 5;
  const { path: million, tip } = await history(place, objects);
  const served = {};
  for (const [name, options] of [
    ["ours", []],
    ["ours, --trees", ["--trees"]],
  ]) {
    const repository = makeBorrower(place, place.path(`served${options.length}.git`), million);
    place.gatepost("init", repository);
    place.gatepost("settings", "-R", repository, "reconcile-age", "0");
    place.gatepost("settings", "-R", repository, "timeout", "1h");
    place.gatepost("hook", "add", "-R", repository, "--type", "after-receive", "--command", "wc -l", ...options);
    served[name] = repository;
  }
  const lines = {};
  const variants = {
    "git rev-list --objects": async () => {
      const done = timed(["bash", "-c", `git --git-dir='${million}' rev-list --objects ${tip} | wc -l`], {
        env: place.env,
      });
      lines["git rev-list --objects"] = Number(done.stdout);
      return done;
    },
  };
  for (const [name, repository] of Object.entries(served))
    variants[name] = async () => {
      const measured = listOnce(place, repository, tip);
      lines[name] = measured.lines;
      return measured;
    };
  const found = await rounds("list-million", variants, { count, warm: 1, seed });
  place.remove();

  const of = (name, what) => found[name].map((measured) => measured[what]);
  const base = "git rev-list --objects";
  const ratio = (name, what) => pairedRatio(of(name, what), of(base, what)).median;
  table(
    ["", "lines", "wall s", "CPU s", "wall ratio", "CPU ratio", "peak MB of Gatepost"],
    Object.keys(found).map((name) => [
      name,
      digits(lines[name]),
      digits(median(of(name, "wall")) / 1000),
      digits(median(of(name, "cpu")) / 1000),
      digits(ratio(name, "wall")),
      digits(ratio(name, "cpu")),
      name === base ? "" : digits(Math.max(...of(name, "memory"))),
    ]),
  );
  const facts = { objects: lines[base], n: count, seed };
  return [
    claim({
      claim: "1,000,000 objects listed / git rev-list",
      figure: ratio("ours", "wall"),
      goal: 1.5,
      cpu: ratio("ours", "cpu"),
      ...facts,
    }),
    claim({ claim: "peak memory in MB while listing", figure: Math.max(...of("ours", "memory")), goal: 150, ...facts }),
    claim({
      claim: "the same with --trees / git rev-list",
      figure: ratio("ours, --trees", "wall"),
      goal: null,
      cpu: ratio("ours, --trees", "cpu"),
      ...facts,
    }),
    claim({
      claim: "peak memory in MB, --trees",
      figure: Math.max(...of("ours, --trees", "memory")),
      goal: null,
      ...facts,
    }),
  ];
}

/** Lets the whole history arrive in an empty repository and takes it away again. */
function listOnce(place, repository, tip) {
  const file = place.path("memory");
  const env = { ...place.env, NODE_OPTIONS: `--import=${noteMemory}`, GATEPOST_BENCH_MEMORY: file };
  place.git(repository, ["update-ref", REF, tip]);
  const { cpu } = timed([process.execPath, program, "backoffice", repository], { env });
  const [run] = JSON.parse(place.gatepost("runs", "-R", repository, "--limit", "1", "--json")).runs;
  const shown = place.gatepost("runs", "show", "-R", repository, run.id);
  const memory = Number(readFileSync(file, "utf8")) / 1024;
  place.git(repository, ["update-ref", "-d", REF]);
  place.gatepost("backoffice", repository);
  return { wall: run.took, cpu, memory, lines: Number(/^\s*(\d+)$/m.exec(shown)?.[1]) };
}

/** The repository with that many objects, from an earlier run or made now, and its only branch's commit. */
async function history(place, objects) {
  const path = join(tmpdir(), `gatepost-bench-history-${objects}-${process.geteuid()}.git`);
  if (!existsSync(path)) {
    const making = place.path("making.git");
    place.run("git", ["init", "-q", "--bare", making]);
    await fastImport(place, making, Math.ceil((objects - FOLDERS * FILES - FOLDERS - 2) / OBJECTS_OF_A_COMMIT));
    progress("packing the history");
    place.git(making, ["repack", "-adq", "--window=0"]);
    try {
      renameSync(making, path);
    } catch (error) {
      if (error.code !== "EXDEV" && error.code !== "ENOTEMPTY") throw error;
    }
    rmSync(making, { recursive: true, force: true });
  }
  return { path, tip: place.git(path, ["rev-parse", "refs/heads/history"]) };
}

async function fastImport(place, repository, commits) {
  const child = spawn("git", ["-C", repository, "fast-import", "--quiet"], {
    env: place.env,
    stdio: ["pipe", "inherit", "inherit"],
  });
  const ended = once(child, "exit");
  let content = 0;
  const change = (folder, file) => {
    const text = `content number ${content++}\n`;
    return `M 100644 inline folder${folder}/file${file}.txt\ndata ${text.length}\n${text}`;
  };
  const head = (number) =>
    `commit refs/heads/history\ncommitter Bench <bench@example.org> ${1_600_000_000 + number * 60} +0000\ndata 7\nchange\n`;
  let text = head(0);
  for (let folder = 0; folder < FOLDERS; folder++)
    for (let file = 0; file < FILES; file++) text += change(folder, file);
  for (let number = 1; number <= commits; number++) {
    text += head(number);
    const folder = (number * 37) % FOLDERS;
    for (let i = 0; i < CHANGES; i++) text += change(folder, (number + i * 11) % FILES);
    if (number % 1000 !== 0 && number !== commits) continue;
    progress(`making a history of ${commits} commits, kept for the next time: ${number}`);
    if (!child.stdin.write(text)) await once(child.stdin, "drain");
    text = "";
  }
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import: exit ${code}`);
}
