/**
 * Writing compiled gates. A file is written under another name, synced and renamed, so that a gate reads the old text or
 * the new one, whenever this process dies. Repositories with the same hooks share the bytes: one file is written and
 * linked for each, so that a thousand of them cost one sync, and one of the folder. What a death leaves ends in `.new`.
 *
 * Proven by test/gate/compile.test.ts and test/e2e/gate-faults.test.ts.
 */
import { existsSync, linkSync, lstatSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Layout } from "../core/layout.ts";
import { makeFile, ownMark } from "../process/replace-file.ts";
import { syncPath } from "../process/sync.ts";

/** The compiled files of a home: each text is written once, however many files are to have it. */
export class CompiledFiles {
  readonly #layout: Layout;
  readonly #masters = new Map<string, string>();
  /** In a shared home whoever pushes must be able to read them. */
  readonly #mode: number;
  #changed = false;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#mode = existsSync(layout.shared) ? 0o644 : 0o600;
  }

  /** Writes the file of that name, unless it holds the text already. */
  put(name: string, text: string): void {
    const file = join(this.#layout.gates, name);
    if (this.#holds(file, text)) return;
    const temporary = `${file}.${ownMark()}.new`;
    linkSync(this.#master(text), temporary);
    renameSync(temporary, file);
    this.#changed = true;
  }

  #holds(file: string, text: string): boolean {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat?.isFile() !== true || stat.size !== Buffer.byteLength(text)) return false;
    return (stat.mode & 0o777) === this.#mode && readFileSync(file, "utf8") === text;
  }

  #master(text: string): string {
    let master = this.#masters.get(text);
    if (master === undefined) {
      master = join(this.#layout.gates, `.${ownMark()}.new`);
      makeFile(master, text, { mode: this.#mode, sync: true });
      this.#masters.set(text, master);
    }
    return master;
  }

  /** Removes what only helped, and syncs the folder. */
  finish(): void {
    for (const master of this.#masters.values()) rmSync(master);
    if (this.#changed) syncPath(this.#layout.gates);
  }
}
