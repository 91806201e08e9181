/** Where a program stands that a name means. */
import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";

/** The absolute path of the program that PATH finds under this name; the name itself where it finds none. */
export function findProgram(name: string, path = process.env["PATH"] ?? ""): string {
  for (const folder of path.split(":").filter(isAbsolute)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {}
  }
  return name;
}
