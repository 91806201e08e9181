/** What others can do to a home by what they put into its spool: to themselves at most. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { readSpool, type Spooled } from "../../src/spool/drain.ts";
import { makeWorld, until } from "../helpers/cli.ts";
import { enter, isDone, leave, type Served, serve } from "../helpers/served.ts";

const root = process.geteuid?.() === 0;
const STRANGER = 12_002;
const hasPerl = spawnSync("perl", ["-e", "1"]).status === 0;

const world = makeWorld();
enter(world);
afterAll(() => leave(world));

const pass = (r: Served, timeout = 20_000) => world.gatepost(["backoffice", r.path], { timeout });
const entryOf = (r: Served, name: string): string => join(r.home.layout.spool, name);
const UUID = "11111111-1111-4111-8111-111111111111";

/** A repository with a hook that notes each start, and one push that nobody drained. */
async function hooked(): Promise<Served> {
  const r = await serve(world);
  r.hook(`echo "$GATEPOST_RUN $GATEPOST_ATTEMPT" >> '${r.file("ran")}'`);
  r.push();
  return r;
}

describe("in the spool of a shared home", () => {
  it("K2: an unfinished entry whose time lies far ahead keeps no pass from its end", async () => {
    const r = await hooked();
    fs.writeFileSync(entryOf(r, `${UUID}.entry`), "gatepost 1\n");
    fs.utimesSync(entryOf(r, `${UUID}.entry`), 4_000_000_000, 4_000_000_000);
    expect(pass(r)).toMatchObject({ code: 0 });
    await isDone(r, 1);
  });

  it("K2: an entry whose name is as long as a name can be is set aside, and others are drained", async () => {
    const r = await hooked();
    fs.writeFileSync(entryOf(r, `${"a".repeat(249)}.entry`), "nonsense\n");
    expect(pass(r)).toMatchObject({ code: 0 });
    await isDone(r, 1);
  });

  it("K2: a log of gates that is nothing but line ends uses up no memory", async () => {
    const r = await hooked();
    fs.writeFileSync(entryOf(r, "gates"), Buffer.alloc(40_000_000, "\n"));
    const env = { NODE_OPTIONS: "--max-old-space-size=128" };
    expect(world.gatepost(["backoffice", r.path], { env }).code).toBe(0);
    await isDone(r, 1);
  });

  it.runIf(hasPerl)("K2: a lease of the kernel's on an entry holds up nobody else's", async () => {
    const r = await hooked();
    const held = world.at("held");
    const lease = `$SIG{IO}="IGNORE"; open(F,"<",$ARGV[0]); fcntl(F,1024,1) or die; open(H,">",$ARGV[1]); sleep 60`;
    fs.writeFileSync(entryOf(r, `${UUID}.entry`), "gatepost 1\n");
    const holder = world.run([
      ...["sh", "-c", `perl -e '${lease}' "$0" "$1" > /dev/null 2>&1 & echo $!`],
      ...[entryOf(r, `${UUID}.entry`), held],
    ]);
    try {
      await until("it is held", () => fs.existsSync(held));
      expect(pass(r)).toMatchObject({ code: 0 });
      await isDone(r, 1);
    } finally {
      process.kill(Number(holder.stdout), "SIGKILL");
    }
  });

  it("K2: what stands there as the log of gates, and is a folder, holds up nobody", async () => {
    const r = await hooked();
    fs.mkdirSync(join(entryOf(r, "gates"), "full"), { recursive: true });
    expect(pass(r)).toMatchObject({ code: 0 });
    await isDone(r, 1);
    expect(fs.existsSync(entryOf(r, "gates"))).toBe(false);
  });

  it("K2: sixty million bytes of push options are refused by their head", async () => {
    const r = await hooked();
    const head = "gatepost 1\nkind push\nhook post-receive\ndir /nowhere\n";
    for (const name of ["a", "b", "c", "d"])
      fs.writeFileSync(entryOf(r, `${name}.entry`), head + "option x\n".repeat(6_500_000));
    fs.writeFileSync(entryOf(r, "e.entry"), `${head}${"option x\n".repeat(1001)}updates\nend 0\n`);
    const env = { NODE_OPTIONS: "--max-old-space-size=128" };
    expect(world.gatepost(["backoffice", r.path], { env }).code).toBe(0);
    await isDone(r, 1);
    expect([...new Set(r.aside())]).toEqual([
      "has more than 1000 push options",
      "has more than 1048576 bytes before its updates",
    ]);
  });

  it.runIf(root)(
    "K2: what one user piles up is read a share at a time, and comes in after the others' all the same",
    async () => {
      const r = await hooked();
      const line = `${"1".repeat(40)} ${"2".repeat(40)} refs/heads/${"x".repeat(100)}`;
      const updates = Array.from({ length: 20_000 }, (_, number) => `${line}${number}\n`).join("");
      const text = `gatepost 1\nkind push\nhook post-receive\ndir ${r.path}\nupdates\n${updates}end 20000\n`;
      const known = new Map<string, Spooled>();
      for (const name of ["a", "b", "c", "d", "e", "f"]) {
        fs.writeFileSync(entryOf(r, `${name}.entry`), text);
        fs.chownSync(entryOf(r, `${name}.entry`), STRANGER, STRANGER);
      }
      const first = readSpool(r.home.layout.spool, Date.now(), known);
      expect([first.entries.length, first.left]).toEqual([5, 2]);
      for (const { name } of first.entries) fs.rmSync(entryOf(r, name));
      const second = readSpool(r.home.layout.spool, Date.now(), known);
      expect([second.entries.length, second.left]).toEqual([2, 0]);
    },
  );

  it("K2: what was set aside is bounded: the oldest goes, and that is said once", async () => {
    const r = await hooked();
    for (let number = 0; number < 1250; number += 1) fs.writeFileSync(entryOf(r, `${number}.entry`), "nonsense\n");
    await r.pass();
    await isDone(r, 1);
    expect(fs.readdirSync(r.home.layout.bad).length).toBeLessThanOrEqual(2200);
    expect(r.complaints.filter((line) => line.includes("is full"))).toHaveLength(1);
  });

  describe("after a minute", () => {
    const minuteLater = () => {
      const at = performance.now() + 60_001;
      return vi.spyOn(performance, "now").mockImplementation(() => at);
    };
    const begin = (spool: string, name: string): void => fs.writeFileSync(join(spool, name), "gatepost 1\n");
    const look = (spool: string) => readSpool(spool, Date.now(), new Map());

    it("K2: an unfinished entry is set aside, however young its times are kept", () => {
      const spool = fs.mkdtempSync(world.at("touched-"));
      begin(spool, "one.entry");
      expect(look(spool)).toMatchObject({ partial: 1, unusable: [] });
      const clock = minuteLater();
      begin(spool, "one.entry");
      expect(look(spool).unusable).toEqual([{ name: "one.entry", reason: "was never finished" }]);
      clock.mockRestore();
    });

    it("K2: nobody waits any longer, though another entry is begun each moment", () => {
      const spool = fs.mkdtempSync(world.at("begun-"));
      begin(spool, "one.entry");
      expect(look(spool).partial).toBe(1);
      const clock = minuteLater();
      fs.rmSync(join(spool, "one.entry"));
      begin(spool, "two.entry");
      expect(look(spool)).toMatchObject({ partial: 0, unusable: [] });
      clock.mockRestore();
    });
  });

  it("K2: a long name is told in the reason", async () => {
    const r = await hooked();
    const name = `${"a".repeat(249)}.entry`;
    fs.writeFileSync(entryOf(r, name), "nonsense\n");
    await r.pass();
    expect(r.aside()).toEqual([`not an entry\nIt was called ${name}`]);
    expect(fs.readdirSync(r.home.layout.bad).every((kept) => kept.length < 64)).toBe(true);
  });
});
