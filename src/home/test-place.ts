/** A place of its own for tests of programs that embed Gatepost: folders, and git in an environment that nothing of the
 *  user's reaches. */
import { mkdtempSync, realpathSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { GatepostError } from "../core/errors.ts";
import { capture } from "../process/command.ts";

export class TestPlace {
  /** The real path of the temporary folder. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    this.dir = realpathSync(mkdtempSync(join(tmpdir(), "gatepost-test-")));
    const own = Object.entries(process.env).filter(([name]) => !/^(GIT_|GATEPOST|GL_|REMOTE_|XDG_)/.test(name));
    this.env = {
      ...(Object.fromEntries(own) as Record<string, string>),
      HOME: join(this.dir, "user"),
      XDG_STATE_HOME: join(this.dir, "user", "state"),
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      ...person("AUTHOR"),
      ...person("COMMITTER"),
    };
  }

  /** Runs git, which must end well, and returns what it printed, without the last newline. */
  async git(args: readonly string[], cwd: string): Promise<string> {
    const { code, stdout, stderr } = await capture("git", args, { cwd, env: this.env });
    if (code === 0) return stdout.toString("utf8").replace(/\n$/, "");
    throw new GatepostError("GP_VCS", `git ${args[0]} failed: ${stderr.trim()}`, { hint: `It was called in ${cwd}.` });
  }

  /** Writes files below a folder; null takes one away. */
  async write(folder: string, files: Readonly<Record<string, string | null>>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      if (relative(folder, path).startsWith(".."))
        throw new GatepostError("GP_USAGE", `${name} is outside of the clone.`, { hint: "Such as: src/a.txt" });
      await mkdir(dirname(path), { recursive: true });
      if (content === null) await rm(path, { recursive: true, force: true });
      else await writeFile(path, content);
    }
  }

  /** Makes the folders that everything stands in. */
  async make(): Promise<void> {
    await mkdir(join(this.dir, "user", "state"), { recursive: true });
  }

  /** Takes everything away. */
  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}

const person = (role: string): Record<string, string> => ({
  [`GIT_${role}_NAME`]: "test",
  [`GIT_${role}_EMAIL`]: "test@example.org",
});
