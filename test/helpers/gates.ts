/** What the tests of gates share: a repository whose hooks are replaced at will, and the records its gates leave. */
import * as fs from "node:fs";
import { join } from "node:path";
import { readExported } from "../../src/home/exchange.ts";
import { deleteHooks, importHooks } from "../../src/home/hooks.ts";
import { closeHome, openHome } from "../../src/home/open.ts";
import { type GateEntry, parseGateEntry } from "../../src/spool/gate-entry.ts";
import { listHooks } from "../../src/store/hook.ts";
import { listRepositories } from "../../src/store/repository.ts";
import type { World } from "./cli.ts";

/** A hook as `hook export` writes it; without a type it is a before-commit hook. */
export type Given = { command: string } & Readonly<Record<string, unknown>>;

export type Gated = {
  readonly path: string;
  readonly home: string;
  /** Takes all hooks out and puts these in. Returns their ids: they are never used again, so they differ each time. */
  hooks(...hooks: readonly (Given | string)[]): number[];
  /** What the gates have recorded since this was last asked, oldest first; a record that cannot be read is an error. */
  records(): GateEntry[];
  /** The same in short: "TYPE VERDICT", and of each hook what became of it, by its place among the hooks from 1. */
  verdicts(): string[];
};

/** Registers a repository, with its home inside it and no backoffice of its own accord. */
export function gated(world: World, path: string): Gated {
  const common = fs.realpathSync(world.git(["rev-parse", "--path-format=absolute", "--git-common-dir"], { cwd: path }));
  const home = join(common, "gatepost");
  for (const args of [["init"], ["settings", "automatic-backoffice", "off"]]) {
    const { code, stderr } = world.gatepost(args, { cwd: path });
    if (code !== 0) throw new Error(stderr);
  }
  let ids: number[] = [];

  function records(): GateEntry[] {
    const spool = join(home, "spool");
    const names = fs.readdirSync(spool).filter((name) => name === "gates" || name.endsWith(".entry"));
    const texts = names.flatMap((name) => {
      const text = fs.readFileSync(join(spool, name), "latin1");
      fs.rmSync(join(spool, name));
      return text.split(/^\n(?=gatepost 1\n)/m).filter((part) => part !== "" && part.includes("\nkind gate\n"));
    });
    return texts.map((text) => {
      const parsed = parseGateEntry(Buffer.from(text, "latin1"));
      if (parsed.state !== "whole") throw new Error(`a gate record is ${JSON.stringify(parsed)}:\n${text}`);
      return parsed.entry;
    });
  }

  const short = (entry: GateEntry): string =>
    [
      `${entry.type} ${entry.verdict}`,
      ...entry.hooks.map((one) => {
        const place = one.hook === 0 ? "chained" : ids.indexOf(one.hook) + 1;
        if (one.line === "unrun") return `${place} not run`;
        return one.line === "skipped" ? `${place} skipped ${one.why}` : `${place} ${one.word} ${one.status}`;
      }),
    ].join(", ");

  return {
    path,
    home,
    hooks(...given) {
      const open = openHome(home);
      try {
        deleteHooks(open, listHooks(open.db));
        const hooks = given.map((one) => ({
          type: "before-commit",
          ...(typeof one === "string" ? { command: one } : one),
        }));
        const [repository] = listRepositories(open.db);
        if (repository === undefined) throw new Error("no repository");
        const scope = { scope: "repository", repository: repository.id } as const;
        ids = importHooks(open, readExported(open, JSON.stringify({ gatepost: 1, hooks }), scope)).map(({ id }) => id);
        return ids;
      } finally {
        closeHome(open);
      }
    },
    records,
    verdicts: () => records().map(short),
  };
}

/** Every file below a folder with that name: what a value that was run as a command would have made. */
export const filesNamed = (folder: string, name: string): string[] =>
  (fs.readdirSync(folder, { recursive: true }) as string[]).filter((file) => file.split("/").at(-1) === name);
