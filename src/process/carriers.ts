/**
 * Who runs with certain variables in its environment: how what a hook started is known again, wherever it went. Only
 * processes whose environment this user may read are found. Each look reads all of /proc.
 *
 * Proved by the tests "E2" in test/process/group.test.ts.
 */
import { endGroup, type Remains } from "./group.ts";
import { isRunning, processStatus } from "./identity.ts";
import { allPids, startedWith } from "./processes.ts";

/** A running process that has the variable, and with which value. */
export type Carrier = { pid: number; session: number; value: string };

/** The running processes that have the variable with a value that begins so. */
export function carriersOf(variable: string, start: string): Carrier[] {
  const wanted = `\0${variable}=${latin1(start)}`;
  return running((environment) => environment.includes(wanted)).map(({ pid, session, environment }) => {
    const value = environment.slice(environment.indexOf(wanted) + variable.length + 2).split("\0", 1)[0] ?? "";
    return { pid, session, value: Buffer.from(value, "latin1").toString() };
  });
}

/** How often a look is repeated that may have missed a session made meanwhile. */
const ROUNDS = 5;

/** Ends whatever was started with all of these variables, by a hook or by what it started, in whichever session that is
 *  now; as `endGroup`, which says for how long. Our own session is left alone: a hook may have started this very process
 *  anew. */
export async function endCarriers(variables: Readonly<Record<string, string>>, grace = 5000): Promise<Remains> {
  const ended = new Map<number, Remains>();
  for (let round = 0; round < ROUNDS; round++) {
    const sessions = sessionsOf(variables).filter((session) => !ended.has(session));
    if (sessions.length === 0) break;
    const remains = await Promise.all(sessions.map((session) => endSession(session, grace)));
    for (const [index, session] of sessions.entries()) ended.set(session, remains[index] ?? { found: 0, left: 0 });
  }
  const sum = (what: keyof Remains): number => [...ended.values()].reduce((all, one) => all + one[what], 0);
  return { found: sum("found"), left: sum("left") };
}

/** Session 0 is whatever came from outside of our pid namespace: no signal can be sent to that. */
const endSession = async (session: number, grace: number): Promise<Remains> =>
  session === 0
    ? { found: 1, left: 1 }
    : await endGroup({ pid: session, startTime: processStatus(session)?.startTime ?? "" }, grace);

/** The sessions, other than ours, of the running processes that have all the variables. */
function sessionsOf(variables: Readonly<Record<string, string>>): number[] {
  const wanted = Object.entries(variables).map(([name, value]) => `\0${name}=${latin1(value)}\0`);
  const carriers = running((environment) => wanted.every((variable) => environment.includes(variable)));
  const sessions = new Set(carriers.map(({ session }) => session));
  sessions.delete(processStatus(process.pid)?.session ?? -1);
  return [...sessions];
}

function running(has: (environment: string) => boolean): { pid: number; session: number; environment: string }[] {
  return allPids().flatMap((pid) => {
    const environment = startedWith(pid);
    const status = has(environment) ? processStatus(pid) : null;
    return status === null || !isRunning(status) ? [] : [{ pid, session: status.session, environment }];
  });
}

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");
