/** Running the real fossil program where no setting of the user's reaches it, and what tests do with it. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

export type Ran = { code: number; out: Buffer; err: string };

/** Where fossil programs run: a folder with a home of its own, so that no setting of the user's reaches them. */
export class FossilPlace {
  readonly folder: string;
  readonly env: Record<string, string>;

  constructor(folder: string) {
    this.folder = folder;
    this.env = {
      PATH: process.env["PATH"] ?? "",
      HOME: folder,
      FOSSIL_HOME: folder,
      USER: "alice",
      LC_ALL: "C.UTF-8",
      TZ: "UTC",
    };
  }

  path(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Runs fossil to its end; the code is 128 and more where a signal ended it. */
  run(args: readonly string[], options: { cwd?: string; input?: string | Buffer } = {}): Promise<Ran> {
    return new Promise((resolve) => {
      const child = execFile(
        "fossil",
        args,
        { cwd: options.cwd ?? this.folder, env: this.env, encoding: "buffer", maxBuffer: 1 << 28, timeout: 60_000 },
        (error, out, err) =>
          resolve({
            code: error === null ? 0 : typeof error.code === "number" ? error.code : 128,
            out,
            err: String(err),
          }),
      );
      child.stdin?.on("error", () => {}); // a program that ends without reading
      child.stdin?.end(options.input ?? "");
    });
  }

  /** As `run`, for what must not fail; gives what was printed. */
  async must(args: readonly string[], options: { cwd?: string; input?: string | Buffer } = {}): Promise<Buffer> {
    const { code, out, err } = await this.run(args, options);
    if (code !== 0) throw new Error(`fossil ${args.join(" ")}: exit ${code}: ${err}`);
    return out;
  }
}

/** The text of an artifact from its cards, with the one that closes it. */
export function signed(cards: readonly string[]): string {
  const text = cards.map((card) => `${card}\n`).join("");
  return `${text}Z ${createHash("md5").update(text).digest("hex")}\n`;
}

/** Stores a text as it is by `fossil` in a check-out, and lets fossil read it as an artifact where it is one. */
export async function put(
  text: string,
  isArtifact: boolean,
  fossil: (args: readonly string[]) => Promise<unknown>,
  checkout: string,
): Promise<string> {
  const file = `${checkout}.put`;
  fs.writeFileSync(file, text);
  await fossil(["test-content-put", file]);
  fs.rmSync(file);
  const hash = createHash("sha3-256").update(text).digest("hex");
  if (isArtifact) await fossil(["test-crosslink", hash]);
  return hash;
}

/** What `fossil` lists for the receipts (base, upto], by its own hook runner. The repository needs a hook `x` with id 0;
 *  base must be the number of a receipt of the last day. */
export async function listedByFossil(place: FossilPlace, file: string, base: number, upto: number): Promise<Buffer> {
  const out = await place.must([
    "hook",
    "test",
    "0",
    "--dry-run",
    "--base-rcvid",
    `${base}`,
    "--new-rcvid",
    `${upto}`,
    "-R",
    file,
  ]);
  if (!out.subarray(0, 2).equals(Buffer.from("x\n"))) throw new Error(`not the hook's command: ${out.subarray(0, 80)}`);
  return out.subarray(2);
}
