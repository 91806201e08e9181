import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeInheritedDescriptors } from "../../src/process/environment.ts";
import { type Attempt, type Outcome, runAttempt } from "../../src/process/hook-process.ts";
import { preparePipes, releasePipes } from "../../src/process/pipe.ts";
import { attempt, chunks, fixture, isRunning, ms, runningIn, until } from "./attempts.ts";

const printed = ({ output }: Outcome): string => Buffer.concat([output.head, output.tail]).toString();

let folder: string;
const groups: number[] = [];

/** Runs an attempt whose group must be dead afterwards; `afterEach` looks. */
function run(command: string, rest: Partial<Attempt> = {}): Promise<Outcome> {
  const onStart: Attempt["onStart"] = (identity) => {
    groups.push(identity.pid);
    rest.onStart?.(identity);
  };
  return runAttempt(attempt(command, { ...rest, onStart }));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatepost-process-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  expect(groups.splice(0).flatMap(runningIn)).toEqual([]);
});

describe("the usual case", () => {
  test("a hook reads the whole list and its code and output are recorded", async () => {
    const outcome = await run("cat; echo done >&2; exit 7", { stdin: chunks("one\n", "", "two\n") });
    expect(outcome).toMatchObject({ end: { kind: "exit", code: 7 }, survivors: 0, remaining: 0 });
    expect(outcome.output).toMatchObject({ bytes: 13, cut: false });
    expect(printed(outcome)).toBe("one\ntwo\ndone\n");
  });

  test("stdout and stderr are kept in the order in which they were printed", async () => {
    const outcome = await run("for n in 1 2 3 4 5 6 7 8 9; do echo $n; echo $n >&2; done");
    expect(printed(outcome)).toBe("1\n1\n2\n2\n3\n3\n4\n4\n5\n5\n6\n6\n7\n7\n8\n8\n9\n9\n");
  });

  test("a hook without stdin reads /dev/null", async () => {
    const outcome = await run("readlink /proc/self/fd/0; cat");
    expect(printed(outcome)).toBe("/dev/null\n");
    expect(outcome.firstByteAt).toBeNull();
  });

  test("times are those of the run", async () => {
    const before = { wall: Date.now(), steady: performance.now() };
    const outcome = await run("cat", { stdin: chunks("x") });
    const took = performance.now() - before.steady;
    expect(outcome.startedAt).toBeGreaterThanOrEqual(before.wall);
    expect(outcome.endedAt).toBeGreaterThanOrEqual(outcome.startedAt);
    expect(outcome.endedAt).toBeLessThanOrEqual(Date.now());
    expect(outcome.tookMs).toBeGreaterThan(0);
    expect(outcome.tookMs).toBeLessThanOrEqual(took);
    expect(outcome.firstByteAt).toBeGreaterThan(before.steady);
    expect(outcome.firstByteAt).toBeLessThan(before.steady + took);
  });

  test("who was started is told before stdin's source is asked for anything", async () => {
    const order: string[] = [];
    async function* source(): AsyncGenerator<Uint8Array> {
      order.push("asked");
      yield Buffer.from("x");
    }
    const onStart: Attempt["onStart"] = ({ pid, startTime }) => {
      order.push("started");
      expect(readFileSync(`/proc/${pid}/stat`, "latin1").split(" ")[21]).toBe(startTime);
    };
    await run("cat >/dev/null", { stdin: source(), onStart });
    expect(order).toEqual(["started", "asked"]);
  });

  test("a hook is killed when nobody could be told that it was started", async () => {
    let pid = 0;
    let closed = false;
    const stdin: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error("asked")),
        return: () => {
          closed = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    const onStart: Attempt["onStart"] = (identity) => {
      pid = identity.pid;
      throw new Error("no database");
    };
    await expect(runAttempt(attempt(fixture("ignores-term"), { stdin, onStart }))).rejects.toThrow("no database");
    expect(runningIn(pid)).toEqual([]);
    expect(closed).toBe(true);
  });
});

describe("E1 a hook that does not end", () => {
  test("E1 SIGTERM at the timeout ends it, at most 250 ms late", async () => {
    let best = Number.POSITIVE_INFINITY; // of five: a busy machine may delay any one of them, but not our own waits
    for (let n = 0; n < 5; n += 1) {
      const outcome = await run(fixture("never-ends"), { timeout: ms(100), grace: ms(10_000), drain: ms(10_000) });
      expect(outcome).toMatchObject({ end: { kind: "timeout" }, survivors: 0, remaining: 0 });
      expect(outcome.tookMs).toBeGreaterThanOrEqual(99);
      best = Math.min(best, outcome.tookMs);
    }
    expect(best).toBeLessThan(350);
  });

  test("E1 a timeout is not later for a process that left with stdout in its hands", async () => {
    let best = Number.POSITIVE_INFINITY;
    for (let n = 0; n < 5; n += 1) {
      const file = join(folder, `left-${n}`);
      const command = `${fixture("forks-away")} ${file}; exec ${fixture("never-ends")}`;
      const outcome = await run(command, { timeout: ms(500), grace: ms(10_000), drain: ms(10_000) });
      expect(killNoted(file)).toBe(true);
      expect(outcome).toMatchObject({ end: { kind: "timeout" }, survivors: 0, remaining: 0, output: { cut: true } });
      best = Math.min(best, outcome.tookMs);
    }
    expect(best).toBeLessThan(750);
  });

  test("E1 SIGKILL after the grace ends one that ignores SIGTERM, with its children", async () => {
    // Long enough for a busy machine: the fixture must have set its trap before.
    const outcome = await run(`exec ${fixture("ignores-term")}`, { timeout: ms(2000), grace: ms(100) });
    expect(outcome).toMatchObject({ end: { kind: "timeout" }, survivors: 0, remaining: 0 });
    expect(printed(outcome)).toBe("ready\n");
    expect(outcome.tookMs).toBeGreaterThanOrEqual(2099);
  });

  test("E1 a child that ignores SIGTERM is killed when the grace of the group is over", async () => {
    const command = "trap '' TERM; sh -c 'exec sleep 10000' & trap - TERM; wait";
    const outcome = await run(command, { timeout: ms(200), grace: ms(100) });
    expect(outcome).toMatchObject({ end: { kind: "timeout" }, survivors: 1, remaining: 0 });
    expect(outcome.tookMs).toBeLessThan(5000);
  });

  test("E1 a stopped hook acts on SIGTERM", async () => {
    const outcome = await run("trap 'echo bye; exit' TERM; kill -STOP $$; sleep 1000", {
      timeout: ms(200),
      grace: ms(10_000),
    });
    expect(outcome.end).toEqual({ kind: "timeout" });
    expect(printed(outcome)).toBe("bye\n");
  });

  test("E1 a hook that ends by itself in the same breath as its timeout has one end only", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => run("sleep 0.1", { timeout: ms(90 + n), grace: ms(50) })),
    );
    for (const { end } of outcomes) expect(["exit", "timeout"]).toContain(end.kind);
  });

  test("E1 an abort ends it as a timeout does, and says so", async () => {
    const shutdown = new AbortController();
    const outcome = await run(fixture("never-ends"), {
      timeout: null,
      signal: shutdown.signal,
      onStart: () => shutdown.abort(),
    });
    expect(outcome.end).toEqual({ kind: "aborted" });
  });

  test("E1 after an abort nothing is started", async () => {
    const marker = join(folder, "ran");
    const outcome = await run(`touch ${marker}`, { signal: AbortSignal.abort(), stdin: chunks("x") });
    expect(outcome).toMatchObject({ end: { kind: "aborted" }, output: { bytes: 0 } });
    expect(() => readFileSync(marker)).toThrow("ENOENT");
  });

  test("E1 a timeout of years is no timeout", async () => {
    const outcome = await run("exit 0", { timeout: ms(1e12) });
    expect(outcome.end).toEqual({ kind: "exit", code: 0 });
  });

  test("E1 a hundred timeouts over hooks that evade leave nobody in the group", { timeout: 60_000 }, async () => {
    const files = Array.from({ length: 100 }, (_, n) => join(folder, `left-${n}`));
    const evasions = ["ignores-term", "holds-stdout", "forks-away"] as const;
    const evade = (file: string, n: number): Promise<Outcome> =>
      run(`${fixture(evasions[n % 3] as string)} ${file} & ${fixture("ignores-term")}`, {
        timeout: ms(150),
        grace: ms(20),
      });
    for (let n = 0; n < files.length; n += 25) {
      const outcomes = await Promise.all(files.slice(n, n + 25).map((file, k) => evade(file, n + k)));
      for (const { end, remaining } of outcomes) expect([end.kind, remaining]).toEqual(["timeout", 0]);
    }
    expect(groups).toHaveLength(100);
    expect(groups.flatMap(runningIn)).toEqual([]);
    for (const file of files) killNoted(file);
  });
});

/** Ends what forks-away left, by the pid it wrote down. */
function killNoted(file: string): boolean {
  let pid: number;
  try {
    pid = Number(readFileSync(file, "utf8"));
  } catch {
    return false;
  }
  const ran = isRunning(pid);
  if (ran) process.kill(pid, "SIGKILL");
  return ran;
}

/** A zombie still has its folder in /proc. */
const isReaped = (file: string): boolean => !existsSync(`/proc/${readFileSync(file, "utf8").trim()}`);

describe("E2 a hook whose children outlive it", () => {
  test("E2 a child that left the session stays, and its hold on stdout ends the run at the drain", async () => {
    const file = join(folder, "left");
    const outcome = await run(`${fixture("forks-away")} ${file}`, { drain: ms(150) });
    expect(killNoted(file)).toBe(true);
    expect(outcome).toMatchObject({ end: { kind: "exit", code: 3 }, survivors: 0, remaining: 0 });
    expect(outcome.output.cut).toBe(true);
    expect(printed(outcome)).toBe("left\n");
    expect(outcome.tookMs).toBeGreaterThanOrEqual(150);
    expect(outcome.tookMs).toBeLessThan(5000);
  });

  test("E2 a child in the group is ended after the drain and counted", async () => {
    const outcome = await run(fixture("holds-stdout"), { drain: ms(100), grace: ms(10_000) });
    expect(isRunning(Number(printed(outcome)))).toBe(false);
    expect(outcome).toMatchObject({ end: { kind: "exit", code: 0 }, survivors: 1, remaining: 0 });
    expect(outcome.output.cut).toBe(false);
    expect(outcome.tookMs).toBeLessThan(5000);
  });

  test("E2: the timeout ends a child that has a process group of its own", async () => {
    const outcome = await run("timeout 47 sleep 46 & echo $!; wait", { timeout: ms(300), grace: ms(5000) });
    expect(outcome).toMatchObject({ end: { kind: "timeout" }, survivors: 0, remaining: 0 });
    expect(isRunning(Number(printed(outcome)))).toBe(false);
    expect(outcome.tookMs).toBeLessThan(5000);
  });

  test("E2: a child with a process group of its own is ended after the drain and counted", async () => {
    const outcome = await run(`${fixture("regroups")} ${join(folder, "regrouped")}`, { drain: ms(50) });
    expect(outcome).toMatchObject({ end: { kind: "exit", code: 0 }, survivors: 2, remaining: 0 });
    const [child, , , , group, session] = printed(outcome).split(" ").map(Number);
    expect(group).not.toBe(session);
    expect(session).toBe(groups.at(-1));
    expect(isRunning(Number(child))).toBe(false);
  });

  test("E2: SIGKILL ends what ignores SIGTERM in process groups of its own, and what it forks meanwhile", async () => {
    const forks = "trap '' TERM; while :; do timeout 9 sleep 0.01 & timeout 9 sleep 0.01; done";
    const outcome = await run(`timeout 99 sh -c "${forks}" & ${forks}`, { timeout: ms(200), grace: ms(50) });
    expect(outcome).toMatchObject({ end: { kind: "timeout" }, remaining: 0 });
  });

  test("E2: a child that left by setsid is left alone", async () => {
    const file = join(folder, "left");
    const command = `setsid sh -c 'echo $$ >${file}; exec sleep 99' >/dev/null 2>&1 &`;
    const outcome = await run(`${command} until [ -s ${file} ]; do :; done`, { drain: ms(50) });
    expect(killNoted(file)).toBe(true);
    expect(outcome).toMatchObject({ end: { kind: "exit", code: 0 }, survivors: 0, remaining: 0 });
  });

  test("E2 children that hold no pipe are ended all the same, by SIGKILL if need be", async () => {
    const command = "(trap '' TERM; echo >up; while :; do sleep 1000; done) >/dev/null 2>&1 &";
    const outcome = await run(`cd ${folder}; mkfifo up; ${command} read -r line <up`, { drain: ms(50) });
    expect(outcome.survivors).toBe(2);
    expect(outcome.output.cut).toBe(false);
  });

  test("E2 a child that is still writing when the hook ends has the drain to finish", async () => {
    const outcome = await run("(sleep 0.2; echo late) & echo early", { drain: ms(10_000) });
    expect(printed(outcome)).toBe("early\nlate\n");
    expect(outcome).toMatchObject({ survivors: 0, output: { cut: false } });
    expect(outcome.tookMs).toBeLessThan(5000);
  });

  test("E2 a child that holds no pipe has the drain to finish, too", async () => {
    const file = join(folder, "finished");
    const outcome = await run(`(sleep 0.2; touch ${file}) >/dev/null 2>&1 & exit 0`, { drain: ms(10_000) });
    expect(outcome.survivors).toBe(0);
    expect(existsSync(file)).toBe(true);
  });

  test("E2 an abort cuts the drain short and leaves the exit code", async () => {
    const shutdown = new AbortController();
    const running = run("sleep 1000 & echo $$ >leader.new; mv leader.new leader; exit 4", {
      cwd: folder,
      drain: ms(25_000),
      signal: shutdown.signal,
    });
    await until(() => existsSync(join(folder, "leader")) && isReaped(join(folder, "leader")));
    shutdown.abort();
    const outcome = await running;
    expect(outcome).toMatchObject({ end: { kind: "exit", code: 4 }, survivors: 1 });
    expect(outcome.tookMs).toBeLessThan(10_000);
  });
});

describe("E3 a hook that prints much, or strange bytes", () => {
  test("E3 a flooding hook is read to its end, not killed, and starves nobody", async () => {
    let turns = 0;
    const clock = setInterval(() => {
      turns += 1;
    }, 5);
    const outcome = await run(`exec ${fixture("floods")} 300000000`);
    clearInterval(clock);
    expect(outcome.end).toEqual({ kind: "exit", code: 0 });
    expect(outcome.output.bytes).toBe(300_000_000);
    expect(outcome.output.head.toString()).toBe("y\n".repeat(16_384));
    expect(outcome.output.tail.toString()).toBe("y\n".repeat(16_384));
    expect(turns).toBeGreaterThan(10);
  });

  test("E3 one that floods for ever is ended by its timeout", async () => {
    const outcome = await run(fixture("floods"), { timeout: ms(200) });
    expect(outcome.end).toEqual({ kind: "timeout" });
    expect(outcome.output.bytes).toBeGreaterThan(65_536);
    expect(outcome.tookMs).toBeLessThan(5000);
  });

  test("E3 a gigabyte of output costs at most 16 MiB of memory", { timeout: 120_000 }, async () => {
    await run(`${fixture("floods")} 100000000`); // the reader's own code is compiled, the heap has its size
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 10);
    const outcome = await run(`${fixture("floods")} 1073741824`, { timeout: null });
    clearInterval(watch);
    expect(outcome.output.bytes).toBe(1_073_741_824);
    expect(most - before).toBeLessThan(16 * 1024 * 1024);
  });

  test("E3 one line of 100 MB is kept at both ends", async () => {
    const { output } = await run(fixture("one-line-of-100mb"), { keep: 4 });
    expect(output).toMatchObject({ bytes: 100_000_000, head: Buffer.from("xxxx"), tail: Buffer.from("xxx\n") });
  });

  test("E3 NUL, broken UTF-8 and escapes are kept byte for byte", async () => {
    const utf8 = await run(fixture("partial-utf8"));
    expect(utf8.output.head.toString("latin1")).toBe("a\0\xff\xfeb\xe2\x82");
    const ansi = await run(fixture("ansi-bomb"));
    expect(ansi.output.head.toString("latin1")).toBe("\x1b[2J\x1b]0;owned\x07\x1b[8mhidden\x1b[0m\r\n");
  });
});

/** A source that never ends, and counts. */
function endless(size: number): { asked: number; closed: boolean; stdin: AsyncIterable<Uint8Array> } {
  const chunk = Buffer.alloc(size, "x");
  const source = { asked: 0, closed: false, stdin: give() };
  async function* give(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        source.asked += 1;
        yield chunk;
      }
    } finally {
      source.closed = true;
    }
  }
  return source;
}

describe("E4 a hook that does not read its stdin", () => {
  test("E4 one that closes stdin at once is no failure, and the source is closed while it works on", async () => {
    const source = endless(1000);
    const file = join(folder, "go-on");
    const running = run(`exec ${fixture("closes-stdin")} ${file}`, { stdin: source.stdin });
    await until(() => source.closed);
    expect(groups.flatMap(runningIn).length).toBeGreaterThan(0);
    writeFileSync(file, "");
    expect((await running).end).toEqual({ kind: "exit", code: 0 });
  });

  test("E4 one that reads nothing is no failure, and the source is closed", async () => {
    const source = endless(100_000);
    const outcome = await run("exit 5", { stdin: source.stdin });
    expect(outcome.end).toEqual({ kind: "exit", code: 5 });
    expect(source).toMatchObject({ asked: 1, closed: true });
  });

  test("E4 one that reads slowly slows the source down", async () => {
    const source = endless(16_384);
    const outcome = await run(`exec ${fixture("reads-slowly")} 10`, { stdin: source.stdin });
    expect(printed(outcome)).toBe("read 10\n");
    expect(source.closed).toBe(true);
    expect(source.asked).toBeLessThanOrEqual(6); // four fill the pipe, one waits, one is being asked for
  });

  test("E4 the timeout covers one that reads slowly, and it never sees a false end of its list", async () => {
    const source = endless(16_384);
    const command = `trap '' TERM; ${fixture("reads-slowly")} 5; cat >/dev/null; echo end of list`;
    const outcome = await run(command, { stdin: source.stdin, timeout: ms(300), grace: ms(400) });
    expect(outcome.end).toEqual({ kind: "timeout" });
    expect(printed(outcome)).not.toContain("end of list");
    expect(source.closed).toBe(true);
  });

  test("E4 a source that fails ends the hook, which never sees a false end of its list", async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("one\n");
      throw new Error("the repository is gone");
    }
    const outcome = await run("trap '' TERM; cat; echo end of list", { stdin: source(), grace: ms(400) });
    expect(outcome.end).toEqual({ kind: "stdin-failed", message: "the repository is gone" });
    expect(printed(outcome)).not.toContain("end of list");
  });

  test("E4 a source that cannot even begin ends the hook", async () => {
    const stdin = {
      [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
        throw "no such batch";
      },
    };
    const outcome = await run("cat; echo end of list", { stdin });
    expect(outcome.end).toEqual({ kind: "stdin-failed", message: "no such batch" });
    expect(outcome.output.bytes).toBe(0);
  });

  test("E4 a source that hangs holds up no hook that has ended, and is told to close", async () => {
    let closed = 0;
    const next = (): Promise<never> => new Promise(() => {});
    const close = (): Promise<never> => {
      closed += 1;
      return Promise.reject(new Error("and it fails"));
    };
    const outcome = await run("exit 6", { stdin: { [Symbol.asyncIterator]: () => ({ next, return: close }) } });
    expect(outcome.end).toEqual({ kind: "exit", code: 6 });
    expect(closed).toBe(1);
  });

  test("E4 100 MB reach a hook that reads them all", async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 100; n += 1) yield Buffer.alloc(1_000_000, 65 + (n % 26));
    }
    const outcome = await run("wc -c", { stdin: source() });
    expect(printed(outcome).trim()).toBe("100000000");
  });
});

describe("E5 how a hook ended is recorded exactly", () => {
  test("E5 every exit code from 0 to 255", async () => {
    for (let code = 0; code < 256; code += 16) {
      const codes = Array.from({ length: 16 }, (_, n) => code + n);
      const outcomes = await Promise.all(codes.map((n) => run(`exec ${fixture("exits-n")} ${n}`)));
      expect(outcomes.map(({ end }) => end)).toEqual(codes.map((n) => ({ kind: "exit", code: n })));
    }
  });

  test("E5 every signal that kills, as a signal, and as 128 + N when only the shell saw it", async () => {
    const deadly = Object.entries(constants.signals).filter(([name]) => !harmless.has(name));
    expect(deadly.length).toBeGreaterThan(20);
    for (const [name, number] of deadly) {
      const command = `${fixture("dies-by-signal-n")} ${number}`;
      const [own, child] = await Promise.all([run(`exec ${command}`), run(`${command}; exit $?`)]);
      expect([name, own.end.kind]).toEqual([name, "signal"]);
      const named = own.end.kind === "signal" ? own.end.signal : "";
      expect(constants.signals[named as NodeJS.Signals]).toBe(number);
      expect(child.end).toEqual({ kind: "exit", code: 128 + number });
    }
  });

  test("E5 a command that is missing is 127, one that cannot be executed 126", async () => {
    writeFileSync(join(folder, "plain"), "text");
    expect((await run("no-such-command-anywhere")).end).toEqual({ kind: "exit", code: 127 });
    expect((await run(join(folder, "plain"))).end).toEqual({ kind: "exit", code: 126 });
  });
});

// Stop, go on, or are ignored by default.
const harmless = new Set("SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGWINCH".split(" "));

describe("E10 a hook that cannot be started", () => {
  test("E10 an environment that is too large is not started, for good, and its source is closed", async () => {
    const source = endless(10);
    const outcome = await run("exit 0", { env: { PATH: "/bin", HUGE: "x".repeat(200_000) }, stdin: source.stdin });
    expect(outcome.end).toEqual({ kind: "not-started", code: "E2BIG", retryable: false });
    expect(outcome).toMatchObject({ firstByteAt: null, survivors: 0, remaining: 0, output: { bytes: 0, cut: false } });
    expect(source.asked).toBe(0);
  });

  test("E10 a list of any length goes by stdin and never meets the limit on arguments", async () => {
    const outcome = await run("wc -l", { stdin: chunks(`${"a".repeat(40)} file x\n`.repeat(100_000)) });
    expect(printed(outcome).trim()).toBe("100000");
  });

  test("E10 a cwd that is missing, or no folder, is not started, for good", async () => {
    const missing = await run("exit 0", { cwd: join(folder, "missing") });
    expect(missing.end).toEqual({ kind: "not-started", code: "ENOENT", retryable: false });
    writeFileSync(join(folder, "file"), "");
    const file = await run("exit 0", { cwd: join(folder, "file") });
    expect(file.end).toEqual({ kind: "not-started", code: "ENOTDIR", retryable: false });
  });

  test("E10 a NUL in the command or the environment is not started, for good", async () => {
    const outcome = await run("echo \0");
    expect(outcome.end).toEqual({ kind: "not-started", code: "ERR_INVALID_ARG_VALUE", retryable: false });
  });

  test("E10 without descriptors it is not started, and may be tried again", async () => {
    const held: number[] = [];
    const code = await hoard(held, () => run("exit 0"));
    expect(code.end).toEqual({ kind: "not-started", code: "EMFILE", retryable: true });
    expect((await run("exit 0")).end).toEqual({ kind: "exit", code: 0 });
  });
});

/** Does `work` while this process has no descriptor left. */
async function hoard<T>(held: number[], work: () => Promise<T>): Promise<T> {
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch (error) {
    expect(error).toMatchObject({ code: "EMFILE" });
  }
  try {
    return await work();
  } finally {
    for (const descriptor of held) closeSync(descriptor);
  }
}

describe("E12 what a hook inherits", () => {
  test("E12 descriptors 0 to 2, default signals, umask 077, its own session, and pipes that open by name", async () => {
    closeInheritedDescriptors();
    const old = process.umask(0o077);
    const ignore = (): void => {};
    process.on("SIGUSR2", ignore);
    const outcome = await run(`exec ${fixture("prints-proc-self")}`, { cwd: folder, stdin: chunks("a list") }).finally(
      () => {
        process.umask(old);
        process.off("SIGUSR2", ignore);
      },
    );
    expect(printed(outcome).split("\n")).toEqual([
      "descriptors: 0 1 2 ",
      "SigBlk:\t0000000000000000",
      "SigIgn:\t0000000000000000",
      "SigCgt:\t0000000000000000",
      "umask: 0077",
      `cwd: ${realpathSync(folder)}`,
      "leads: group and session",
      "stdin: a list",
      "stderr opens",
      "",
    ]);
  });

  test("E12 its environment is the given one and nothing else", async () => {
    const outcome = await run("env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_=", {
      env: { PATH: "/bin", A: "b" },
    });
    expect(printed(outcome).split("\n").sort()).toEqual(["", "A=b", "PATH=/bin"]);
  });

  test("E12 nothing stays open in this process after a run", async () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    await releasePipesAfter(() => run("cat", { stdin: chunks("x") }));
    const before = open();
    await releasePipesAfter(async () => {
      for (let n = 0; n < 20; n += 1) await run("cat; exit 1", { stdin: chunks("x") });
      await run("exit 0", { cwd: "/nowhere" });
    });
    expect(open()).toBe(before);
  });
});

/** The pipes in store are descriptors too; how many there are is chance. */
async function releasePipesAfter(work: () => Promise<unknown>): Promise<void> {
  await work();
  await preparePipes();
  releasePipes();
}
