/** The names in a home and where they stand. The shim (src/shim/runtime/receive.sh) knows the same names. */
import { join } from "node:path";
import type { Kind } from "./hook-type.ts";

/** Name of the home inside a repository's data: the home itself, or a file that points to it. */
export const HOME_NAME = "gatepost";

/** Where the home of a repository stands, or the file that points to it: in the repository's data; beside a Fossil
 *  repository, which is a file. */
export const homePlace = ({ path, kind }: { path: string; kind: Kind }): string =>
  kind === "fossil" ? `${path}.${HOME_NAME}` : join(path, HOME_NAME);

export const layout = (home: string) => ({
  home,
  database: join(home, "gatepost.db"),
  /** Where shims leave entries. */
  spool: join(home, "spool"),
  /** Entries that cannot become receipts, each with NAME.reason beside it. */
  bad: join(home, "spool", "bad"),
  /** Compiled gates: TYPE of the repository the home stands in, NUMBER.TYPE of others. */
  gates: join(home, "gates"),
  /** Exists: hooks were edited and the gates are not compiled since. */
  stale: join(home, "gates", "stale"),
  /** One auxiliary file per run, removed when the run ends. */
  auxiliary: join(home, "aux"),
  /** The only file that holds the absolute paths of node and program. */
  program: join(home, "bin", "gatepost"),
  /** All hooks in export's format, rewritten at each edit. */
  hooksFile: join(home, "hooks.json"),
  /** The letters of the newest run ids, for whoever makes the database anew. */
  incarnation: join(home, "incarnation"),
  /** "PID STARTTIME" of the process that looks at the spool. */
  daemonPid: join(home, "daemon.pid"),
  /** "UPTIME PID": when a shim last started a backoffice, and who starts; removed by the backoffice once it is up. */
  starting: join(home, "starting"),
  /** Why the last backoffice that a shim started could not work; absent when it could. */
  failed: join(home, "automatic.failed"),
  /** Exists: shims start no backoffice. */
  manual: join(home, "manual"),
  /** Exists: shims sync their entries to disk. */
  durable: join(home, "durable"),
  /** Exists: the home is shared, others may leave entries in the spool. */
  shared: join(home, "shared"),
});

export type Layout = ReturnType<typeof layout>;

/** The text of a pointer file, which stands where the home would and names it, and the repository's gates in it. */
export const pointerText = (home: string, id: number): string => `home: ${home}\ngates: ${id}\n`;

/** The home that a pointer file names; null where the text is no pointer. */
export function readPointer(text: string): string | null {
  const match = /^home: (\/[^\n]*)\n(?:gates: \d+\n)?$/.exec(text);
  return match?.[1] ?? null;
}
