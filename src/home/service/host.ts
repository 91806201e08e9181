/** The machine as the service sees it: who calls, whether systemd runs, and the programs that are asked. */
import { lstatSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { GatepostError } from "../../core/errors.ts";
import { capture } from "../../process/command.ts";
import { findProgram } from "../../process/program.ts";
import { programFile } from "../open.ts";

/** Whose unit it is: the machine's, or one user's. */
export type Scope = "system" | "user";

/** Who calls, where, and what there is. */
export type Host = {
  uid: number;
  user: string;
  /** By the passwd file: HOME may be that of whoever called sudo. */
  home: string;
  systemdRuns: boolean;
  /** Where units of each scope stand. */
  units: Readonly<Record<Scope, string>>;
  env: Readonly<Record<string, string>>;
  node: string;
  program: string;
};

/** This machine, as of now. */
export function thisHost(env: NodeJS.ProcessEnv = process.env): Host {
  const config = env["XDG_CONFIG_HOME"];
  return {
    uid: process.geteuid?.() ?? -1,
    ...whoever(env),
    systemdRuns: lstatSync("/run/systemd/system", { throwIfNoEntry: false })?.isDirectory() === true,
    units: {
      system: "/etc/systemd/system",
      user: join(config?.startsWith("/") ? config : join(homedir(), ".config"), "systemd", "user"),
    },
    env: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    node: process.execPath,
    program: programFile(),
  };
}

function whoever(env: NodeJS.ProcessEnv): Pick<Host, "user" | "home"> {
  try {
    const { username, homedir: home } = userInfo();
    return { user: username, home };
  } catch {
    return { user: env["USER"] ?? "", home: homedir() }; // a uid without a passwd entry
  }
}

/** What the service's process must be told, since neither systemd nor cron tells it: where the register is, and who
 *  root is. */
export function serviceEnvironment({ env, user, home }: Host, scope: Scope | "cron"): Record<string, string> {
  const state = env["XDG_STATE_HOME"];
  return {
    ...(scope === "system" ? { HOME: home, USER: user, LOGNAME: user } : {}),
    ...(state?.startsWith("/") ? { XDG_STATE_HOME: state } : {}),
  };
}

const ask = async ({ env }: Host, name: string, args: readonly string[], input?: string) =>
  await capture(findProgram(name, env["PATH"]), args, {
    env: { ...env, LC_ALL: "C" },
    timeout: 120_000,
    ...(input === undefined ? {} : { input: Buffer.from(input, "latin1") }),
  });

const systemctlWords = (scope: Scope, words: readonly string[]): string[] =>
  scope === "user" ? ["--user", ...words] : [...words];

/** How a call of systemctl is written. */
export const systemctlCall = (scope: Scope, ...words: string[]): string =>
  ["systemctl", ...systemctlWords(scope, words)].join(" ");

/** Calls systemctl, which must go well. Throws GP_SERVICE with what it said, GP_PROGRAM where it is missing. */
export async function systemctl(host: Host, scope: Scope, ...words: string[]): Promise<void> {
  const { code, stderr } = await ask(host, "systemctl", systemctlWords(scope, words));
  if (code === 0) return;
  throw new GatepostError("GP_SERVICE", `${systemctlCall(scope, ...words)} failed: ${lastLine(stderr)}`, {
    hint: "What was written stays. Once that is mended: gatepost service install",
  });
}

/** The one word that systemctl answers a question with; null where it cannot be asked. */
export async function askSystemctl(host: Host, scope: Scope, ...words: string[]): Promise<string | null> {
  try {
    const { stdout } = await ask(host, "systemctl", systemctlWords(scope, words));
    return /^[\w-]+/.exec(stdout.toString("latin1"))?.[0] ?? null;
  } catch (error) {
    if (error instanceof GatepostError) return null;
    throw error;
  }
}

/** The caller's crontab as a byte string, "" where there is none; null where there is no program for it. */
export async function readCrontab(host: Host): Promise<string | null> {
  let answer: Awaited<ReturnType<typeof ask>>;
  try {
    answer = await ask(host, "crontab", ["-l"]);
  } catch (error) {
    if (error instanceof GatepostError && error.code === "GP_PROGRAM") return null;
    throw error;
  }
  if (answer.code === 0) return answer.stdout.toString("latin1");
  if (/no crontab|can't open/i.test(answer.stderr)) return ""; // Debian's and Fedora's cron; busybox
  throw new GatepostError("GP_SERVICE", `The crontab cannot be read: ${lastLine(answer.stderr)}`);
}

/** Puts a table in place of the whole crontab. */
export async function writeCrontab(host: Host, table: string): Promise<void> {
  const { code, stderr } = await ask(host, "crontab", ["-"], table);
  if (code !== 0) throw new GatepostError("GP_SERVICE", `crontab took the new table not on: ${lastLine(stderr)}`);
}

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) || "it said nothing";
