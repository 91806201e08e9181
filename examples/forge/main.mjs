/**
 * Starts the forge: node examples/forge/main.mjs [FOLDER] [--port N]. Ends at Ctrl-C or SIGTERM, when the last hook has.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GatepostError } from "gatepost";
import { Forge } from "./forge.mjs";
import { listen } from "./site.mjs";

const { values, positionals } = parseArgs({ options: { port: { type: "string" } }, allowPositionals: true });
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

try {
  const forge = await Forge.open(positionals[0] ?? join(tmpdir(), "gatepost-forge"));
  const { port, close } = await listen(forge, Number(values.port ?? 8080));
  console.log(`http://127.0.0.1:${port}/ serves ${forge.dir}`);
  await forge.serve(stop.signal);
  await close();
  await forge.close();
} catch (error) {
  if (!(error instanceof GatepostError)) throw error;
  console.error(`${error.message}\n${error.hint ?? ""}`.trimEnd());
  process.exitCode = error.exitCode;
}
