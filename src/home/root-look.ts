/** The roots of a home as a backoffice sees them: whether something was made below them since it looked last. */
import { join } from "node:path";
import type { Log, Roots } from "../backoffice/context.ts";
import { repositoryPaths } from "../store/repository.ts";
import { listRoots, putSeen, type RootRow } from "../store/root.ts";
import type { OpenHome } from "./open.ts";
import { seenOf } from "./root-find.ts";
import { type Seen, walk } from "./root-walk.ts";

/** The roots of a home as a backoffice sees them. `inLine` brings the gates in line after some were registered. */
export function rootsOf(home: OpenHome, log: Log, inLine: () => Promise<void>): Roots {
  const memory = new Map<string, { from: string | null; seen: Seen }>();
  const look = ({ path, seen }: RootRow) => {
    const kept = memory.get(path);
    let known: Set<string> | null = null;
    const walked = walk(path, kept?.from === seen ? kept.seen : seenOf(seen), (data) => {
      known ??= repositoryPaths(home.db);
      return known.has(data);
    });
    const isNews = walked.found.length > 0 || walked.closed.length > 0;
    if (isNews) return { walked, isNews };
    // Once after something was registered, when its folders are old enough to be believed.
    const isSettled = !walked.isYoung && hasDoubts(seenOf(seen));
    const text = isSettled ? JSON.stringify(walked.seen) : seen;
    if (isSettled && text !== null) putSeen(home.db, { path, seen: text });
    memory.set(path, { from: text, seen: walked.seen });
    return { walked, isNews };
  };
  const roots = (): RootRow[] => listRoots(home.db);
  return {
    haveNew: () => roots().some((root) => look(root).isNews),
    register: async () => {
      let some = false;
      for (const root of roots()) {
        const { walked, isNews } = look(root);
        if (!isNews) continue;
        for (const { says } of walked.closed) log("error", says);
        const { registerBelow } = await import("./root.ts"); // a pass that finds nothing does without
        const done = await registerBelow(home, root, walked, log);
        some ||= done > 0;
      }
      if (some) await inLine();
    },
    folders: () =>
      roots().flatMap(({ path, seen }) => {
        const kept = memory.get(path);
        const { folders, passed } = kept?.seen ?? seenOf(seen);
        const of = (names: [string, string][]) => names.map(([name, stamp]) => ({ path: join(path, name), stamp }));
        const changing = Object.entries(passed).filter(([, { stamp }]) => !stamp.startsWith("="));
        return [
          ...of(Object.entries(folders)).map((one) => ({ ...one, isFolder: true })),
          ...of(changing.map(([name, { stamp }]) => [name, stamp])).map((one) => ({ ...one, isFolder: false })),
        ];
      }),
  };
}

const hasDoubts = ({ folders }: Seen): boolean => Object.values(folders).includes("");
