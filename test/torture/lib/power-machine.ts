/**
 * A machine whose power can be cut: a repository and its home on a file system of their own, in an image file, with a
 * daemon and clients at work. Cutting the power is to stop every process, to note what had been acknowledged until then,
 * and to copy the image: what the file system has not yet written to its disk is not in the copy. Then all go on.
 *
 * What hooks and clients note stands on another file system, which never loses anything.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { processStatus } from "../../../src/process/identity.ts";
import { makeWorld, program, until, type World } from "../../helpers/cli.ts";
import { enter, leave, type Watched, watch } from "../../helpers/served.ts";
import { Processes } from "./processes.ts";

const CLIENTS = 3;

const restart = fileURLToPath(new URL("power-restart.sh", import.meta.url));

/** Pushes for ever; a push that returned is noted with its ref, value and name. */
const CLIENT = `n=0
while :; do
  n=$((n + 1)) ref=refs/heads/c$3-$((n % 3))
  git commit -q --allow-empty -m "$n"
  hash=$(git rev-parse HEAD)
  GL_USER=c$3-$n git push -q --force "$1" "HEAD:$ref" && echo "$ref $hash c$3-$n" >>"$2"
done`;

/** What had been acknowledged when the power was cut. */
export type Acknowledged = {
  receipts: { id: number; entry: string | null }[];
  updates: { id: number; receipt: number; new: string }[];
  batches: { id: number; base: number; upto: number }[];
  /** Those that had ended. */
  runs: { id: number; state: string; attempts: number }[];
  /** Pushes that had returned: "REF VALUE NAME". */
  pushes: string[];
  /** What hooks had noted: name of the run and attempt, and the updates that it was given. */
  journal: Map<string, string>;
};

/** What one image was found to be, before and after the restart. */
export type Restarted = { at(...parts: string[]): string; text(name: string): string; lines(name: string): string[] };

/** Why this machine cannot be made here; null when it can. */
export function impossible(): string | null {
  if (process.geteuid?.() !== 0) return "only root may mount";
  if (spawnSync("mkfs.ext4", ["-V"]).error !== undefined) return "there is no mkfs.ext4";
  const world = makeWorld("gatepost-power-");
  try {
    makeImage(world.at("probe.img"), 8);
    const words = ["-m", "-p", "-f", "--mount-proc", "mount", "-o", "loop", world.at("probe.img"), "/mnt"];
    const { status, stderr } = spawnSync("unshare", words, { encoding: "utf8" });
    return status === 0 ? null : `mounts are not allowed (${stderr.trim()})`;
  } finally {
    world.remove();
  }
}

function makeImage(file: string, megabytes: number): void {
  fs.closeSync(fs.openSync(file, "w"));
  fs.truncateSync(file, megabytes << 20);
  must(["mkfs.ext4", "-q", file]);
}

function must(argv: readonly string[]): void {
  const { status, stderr } = spawnSync(argv[0] ?? "", argv.slice(1), { encoding: "utf8" });
  if (status !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
}

export class Machine {
  readonly world: World;
  readonly #processes: Processes;
  readonly #children: ChildProcess[] = [];
  #watched: Watched | null = null;
  #images = 0;

  constructor() {
    this.world = makeWorld("gatepost-power-");
    this.#processes = new Processes(this.world.env["HOME"] ?? "");
  }

  /** Makes the disk, registers the repository on it, and sets all to work. */
  async start(durable: boolean): Promise<void> {
    const { world } = this;
    enter(world);
    makeImage(world.at("disk.img"), 64);
    for (const folder of ["disk", "journal", "acks"]) fs.mkdirSync(world.at(folder));
    // Nothing is written to the disk unless somebody asks for it: as a machine that is busy elsewhere would do it.
    must(["mount", "-o", "loop,commit=300", world.at("disk.img"), world.at("disk")]);
    const path = world.bare("disk/app.git");
    world.git(["config", "core.fsync", "all"], { cwd: path });
    world.git(["config", "gc.auto", "0"], { cwd: path });
    const watched = await watch(world, path);
    this.#watched = watched;
    watched.set("durable-spool", durable ? "on" : "off");
    const note = `{ cat; echo end; } >'${world.at("journal")}'/"$GATEPOST_RUN.$GATEPOST_ATTEMPT"`;
    watched.hook(note, { stdin: "updates" });
    watched.hook(`${note}; sleep 0.02`, { stdin: "updates", each: "receipt", sequence: 20 });
    must(["sync"]); // a repository that was made long ago
    const stdio = ["ignore", "ignore", fs.openSync(world.at("stderr"), "a")] as const;
    this.#children.push(
      spawn(process.execPath, [program, "serve", "--home", watched.home.dir, "--poll", "1"], {
        cwd: world.dir,
        env: world.env,
        stdio: [...stdio],
      }),
    );
    for (let index = 0; index < CLIENTS; index++) {
      const cwd = world.workTree(`client-${index}`);
      const words = ["-c", CLIENT, "client", path, world.at("acks", String(index)), String(index)];
      this.#children.push(spawn("sh", words, { cwd, env: world.env, stdio: [...stdio] }));
    }
    await until("a push is delivered", () => fs.readdirSync(world.at("journal")).length > 0);
  }

  /** Cuts the power, and starts a machine with what was on the disk then. */
  async cut(): Promise<{ acknowledged: Acknowledged; restarted: Restarted }> {
    const { world } = this;
    const image = world.at(`image-${++this.#images}`);
    const out = world.at(`out-${this.#images}`);
    fs.mkdirSync(out);
    const stopped = await this.#stop();
    let acknowledged: Acknowledged;
    try {
      acknowledged = this.#note();
      copyAtOneMoment(world.at("disk.img"), image);
      await this.#restart(image, out);
    } finally {
      for (const pid of stopped) signal(pid, "SIGCONT");
    }
    fs.rmSync(image);
    const at = (...parts: string[]): string => join(out, ...parts);
    const text = (name: string): string => fs.readFileSync(at(name), "utf8");
    const lines = (name: string): string[] =>
      text(name)
        .split("\n")
        .filter((line) => line !== "");
    return { acknowledged, restarted: { at, text, lines } };
  }

  async #restart(image: string, out: string): Promise<void> {
    const { world } = this;
    const home = this.#home().home.dir;
    const words = [restart, image, world.at("disk"), world.at("journal"), out, home, process.execPath, program];
    await new Promise<void>((resolve, reject) => {
      const child = spawn("unshare", ["-m", "-p", "-f", "--mount-proc", "sh", ...words], {
        env: { ...world.env, HOME: world.at("user-restarted") }, // not one of the processes of the first life
        stdio: ["ignore", "inherit", "inherit"],
      });
      child.once("error", reject);
      child.once("exit", (code) =>
        code === 0 ? resolve() : reject(new Error(`the restart of ${image} ended ${code}`)),
      );
    });
  }

  /** Ends all processes and takes the disk away. */
  async remove(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await until("all processes have ended", () => {
      const left = this.#processes.all();
      for (const found of left) this.#processes.kill(found);
      return left.length === 0;
    });
    leave({ ...this.world, remove: () => {} });
    spawnSync("umount", ["-l", this.world.at("disk")]);
    this.world.remove();
  }

  #home(): Watched {
    if (this.#watched === null) throw new Error("the machine was not started");
    return this.#watched;
  }

  /** Stops every process of the world; when it returns none of them can do anything. */
  async #stop(): Promise<Set<number>> {
    const stopped = new Set<number>();
    let quiet = 0; // two looks in which nobody runs: one that was being forked during the first is seen by the second
    await until("every process stands still", () => {
      let running = 0;
      for (const { pid } of this.#processes.all()) {
        const state = processStatus(pid)?.state ?? "Z";
        // D: in the kernel, until its child has begun, which stands still, or until the disk has answered.
        if ("TZX".includes(state) || (state === "D" && stopped.has(pid))) continue;
        running += 1;
        if (signal(pid, "SIGSTOP")) stopped.add(pid);
      }
      quiet = running === 0 ? quiet + 1 : 0;
      return quiet > 2;
    });
    return stopped;
  }

  /** What SQLite shows to a reader was synced before. */
  #note(): Acknowledged {
    const { sqlite } = this.#home().home.db;
    const read = <T>(sql: string): T[] => sqlite.prepare(sql).all() as T[];
    const journal = this.world.at("journal");
    const acks = fs.readdirSync(this.world.at("acks"));
    return {
      receipts: read("SELECT id, entry FROM receipt"),
      updates: read("SELECT id, receipt, new FROM ref_update"),
      batches: read("SELECT id, base, upto FROM batch"),
      runs: read("SELECT id, state, attempts FROM run WHERE ended_at IS NOT NULL"),
      pushes: acks.flatMap((name) => fs.readFileSync(this.world.at("acks", name), "utf8").split("\n").slice(0, -1)),
      journal: readJournal(journal),
    };
  }
}

/** Sends a signal; false where the process has ended. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** What hooks noted in a folder: by run and attempt, the updates; those that were noted to the end. */
export const readJournal = (folder: string): Map<string, string> =>
  new Map(
    fs.readdirSync(folder).flatMap((name) => {
      const text = fs.readFileSync(join(folder, name), "latin1");
      return text.endsWith("end\n") ? [[name, text] as const] : [];
    }),
  );

/** Copies a file that nobody writes to, but the kernel might: until copy and file are the same. */
function copyAtOneMoment(from: string, to: string): void {
  for (let tries = 0; tries < 20; tries++) {
    must(["cp", "--reflink=auto", "--sparse=always", from, to]);
    if (spawnSync("cmp", ["-s", from, to]).status === 0) return;
  }
  throw new Error(`${dirname(from)}: the image does not stand still`);
}
