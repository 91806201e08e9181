/**
 * The processes of one torture, by a mark that all of them carry: the HOME of its world, which git, shims, the
 * backoffice and hooks hand on. They are looked up in /proc alone, so that nothing has to cooperate in being killed, and
 * one that is found is killed only while its pid still means the same process.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isRunning, processStatus } from "../../../src/process/identity.ts";

/** What a process is for. "reader": git that a backoffice started; "hook": its shell; "child": what a hook started. */
export type Kind =
  | "daemon"
  | "backoffice"
  | "cli"
  | "shim"
  | "hook"
  | "child"
  | "push"
  | "receive-pack"
  | "reader"
  | "other";

export type Found = {
  readonly pid: number;
  readonly kind: Kind;
  readonly command: string;
  /** The variables that it was started with. */
  readonly variables: ReadonlyMap<string, string>;
};

/** How often a process without the mark is asked again: between fork and exec it still has its parent's variables. */
const ASKED = 4;

export class Processes {
  readonly #mark: string;
  readonly #known = new Map<number, Found & { startTime: string }>();
  readonly #strangers = new Map<number, number>();

  /** `home`: the HOME that marks them. */
  constructor(home: string) {
    this.#mark = home;
  }

  /** All that run now. */
  all(): Found[] {
    const pids = new Set(
      readdirSync("/proc")
        .filter((name) => name >= "1" && name <= "9~")
        .map(Number),
    );
    for (const pid of this.#known.keys()) if (!pids.has(pid)) this.#known.delete(pid);
    for (const pid of this.#strangers.keys()) if (!pids.has(pid)) this.#strangers.delete(pid);
    return [...pids].flatMap((pid) => this.#look(pid) ?? []);
  }

  /** Adds to the list the shims of pushes that are being received, waiting busily for a push that has come so far that it may start
   *  one: they live for a few milliseconds. */
  awaitShim(push: Found, list: Found[]): void {
    if (push.kind !== "receive-pack") return;
    for (const end = performance.now() + 30; performance.now() < end && textOf(push.pid, "cmdline") !== ""; )
      for (const pid of textOf(push.pid, `task/${push.pid}/children`).split(" ")) {
        const child = pid === "" ? null : this.#look(Number(pid));
        if (child?.kind === "shim") return void list.push(child);
      }
  }

  /** Ends a process with SIGKILL if it is still the one that was found, and running. */
  kill(found: Found): boolean {
    const before = this.#known.get(found.pid);
    const now = this.#look(found.pid);
    const status = processStatus(found.pid);
    if (now === null || status === null || !isRunning(status) || now.kind !== found.kind) return false;
    if (before === undefined || before.startTime !== status.startTime) return false;
    try {
      return process.kill(found.pid, "SIGKILL");
    } catch {
      return false; // it ended in this moment
    }
  }

  #look(pid: number): Found | null {
    const asked = this.#strangers.get(pid) ?? 0;
    if (asked >= ASKED) return null;
    const command = textOf(pid, "cmdline").split("\0").slice(0, -1).join(" ");
    const known = this.#known.get(pid);
    const status = known === undefined || known.command !== command ? processStatus(pid) : null;
    if (known !== undefined && (known.command === command || command === "")) return command === "" ? null : known;
    const variables = new Map(
      textOf(pid, "environ")
        .split("\0")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const),
    );
    if (status === null || !isRunning(status) || variables.get("HOME") !== this.#mark) {
      this.#strangers.set(pid, asked + 1);
      return null;
    }
    const kind = kindOf(command, variables, status.session === pid);
    const found = { pid, kind, command, variables, startTime: status.startTime };
    this.#known.set(pid, found);
    this.#strangers.delete(pid);
    return found;
  }
}

/** How much memory a process takes, in pages. */
export const sizeOf = ({ pid }: Found): number => Number(textOf(pid, "statm").split(" ")[1] ?? 0);

function kindOf(command: string, variables: ReadonlyMap<string, string>, leads: boolean): Kind {
  if (variables.has("GATEPOST_RUN")) return leads ? "hook" : "child";
  const gatepost = /^\S*node\b.*\/gatepost (\S+)/.exec(command)?.[1];
  if (gatepost !== undefined) return gatepost === "serve" ? "daemon" : gatepost === "backoffice" ? gatepost : "cli";
  if (/^\S*git[ -]receive-pack/.test(command)) return "receive-pack";
  if (/^git push/.test(command)) return "push";
  if (/^\S*sh\b.*hooks\/post-[a-z]+( |$)/.test(command)) return "shim";
  if (/^\S*git .*--git-dir|^\S*git .*(for-each-ref|cat-file|rev-list)/.test(command)) return "reader";
  return "other";
}

function textOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}
