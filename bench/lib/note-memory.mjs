/** Loaded into a program with NODE_OPTIONS=--import: at its end it writes down the most memory that it had, in KiB. */
import { writeFileSync } from "node:fs";

const file = process.env.GATEPOST_BENCH_MEMORY;
if (file !== undefined) process.once("exit", () => writeFileSync(file, String(process.resourceUsage().maxRSS)));
