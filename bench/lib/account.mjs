/**
 * What a program costs: wall time, and the CPU time of the whole tree of processes under it.
 *
 * Node tells the usage of its own process only, and /proc counts children in ticks of 10 ms. So a program is run by
 * bash, whose `times` asks getrusage(RUSAGE_CHILDREN): exact, and it holds every process that was waited for, at any
 * depth. A process that left the tree (a backoffice that a push started) is not in it, which is what is wanted here.
 * The clock is read in bash right before and after, so that neither bash's own start nor Node's is in the wall time.
 *
 * A process that goes on is looked at through /proc/PID/task/TID/schedstat, which counts nanoseconds on a processor.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const TIMED = `
begin=$EPOCHREALTIME
"$@" 3>&-
code=$? end=$EPOCHREALTIME
{ echo "$code $begin $end"; times; } >&3`;

/** Runs a program to its end: wall and CPU (user and system, of the whole tree) in ms, and what it printed. Throws
 *  when it fails. */
export function timed(argv, options) {
  const done = spawnSync("bash", ["-c", TIMED, "timed", ...argv], {
    ...options,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    maxBuffer: 1 << 30,
  });
  const [first, , children] = String(done.output?.[3] ?? "").split("\n");
  const [code, begin, end] = (first ?? "").split(" ").map(Number);
  if (code !== 0 || children === undefined)
    throw new Error(`${argv.join(" ").slice(0, 200)}: exit ${code}: ${done.stderr || done.error}`);
  const cpu = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (ms, [, m, s]) => ms + (Number(m) * 60 + Number(s)) * 1000,
    0,
  );
  return { wall: (end - begin) * 1000, cpu, stdout: String(done.stdout), stderr: String(done.stderr) };
}

/** CPU time in ms that a process that is running has used so far, all its threads together. */
export function cpuOf(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
  return nanoseconds / 1e6;
}

/** The most memory that a process that is running has had, in MB. */
export function peakMemoryOf(pid) {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return found === null ? Number.NaN : Number(found[1]) / 1024;
}
