/** What is left of a lost run and cannot be ended, because it is no longer the user's own: nothing runs beside it. */
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { until } from "../helpers/cli.ts";
import { endDaemonsAfterEach, followed } from "../helpers/daemon.ts";
import { runs } from "../helpers/served.ts";
import { gatepost, hasUsers, makeUsers, type Users } from "../helpers/users.ts";

endDaemonsAfterEach();
let users: Users | null = null;
afterAll(() => users?.world.remove());

test.runIf(hasUsers)(
  "I6: a lost run of which something cannot be ended is parked, and not repeated beside it",
  async () => {
    users = makeUsers();
    // As sudo would, and without a password: a process of the run that is root's.
    const { stdout: found } = users.world.run(["sh", "-c", "command -v setpriv"]);
    const becomesRoot = users.world.at("becomes-root");
    fs.copyFileSync(found.trim(), becomesRoot);
    fs.chmodSync(becomesRoot, 0o4755);
    const begun = users.of("alice", "begun");
    const path = users.serve("alice", `echo "$GATEPOST_ATTEMPT $$" >> ${begun}; ${becomesRoot} --reuid=0 sleep 1000`);
    const attempts = (): string[][] =>
      fs.existsSync(begun)
        ? fs
            .readFileSync(begun, "utf8")
            .trim()
            .split("\n")
            .map((line) => line.split(" "))
        : [];
    const first = followed(users.start([...gatepost, "serve", "--poll", "1", path]));
    users.push("alice", path);
    const pid = await until("the hook runs", () => Number(attempts()[0]?.[1]) || null);
    const child = await until(
      "what it started runs",
      () => Number(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()) || null,
    );
    try {
      await until("it is root's", () => /^Uid:\t0\t/m.test(fs.readFileSync(`/proc/${child}/status`, "utf8")));
      const lock = fs.readFileSync(`${path}/gatepost/daemon.pid`, "utf8").split(" ")[0];
      process.kill(Number(lock), "SIGKILL");
      first.child.kill("SIGKILL");
      await first.ended;
      expect(users.as("alice", [...gatepost, "backoffice", path]).code).toBe(0);
      expect(users.as("alice", [...gatepost, "runs", "-R", path]).stdout).toMatch(
        /parked: lost with its backoffice, and 1 of its processes cannot be ended/,
      );
      expect(attempts()).toHaveLength(1);
      expect(runs(child)).toBe(true);
    } finally {
      process.kill(child, "SIGKILL");
    }
  },
);
