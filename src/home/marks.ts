/** Settings that shims go by. They cannot read the database, so each of these is shown by a file that is there or not. */
import { rmSync } from "node:fs";
import type { Layout } from "../core/layout.ts";
import type { SettingName } from "../core/settings.ts";
import { putMark } from "../process/replace-file.ts";
import { homeSettings, type OpenHome } from "./open.ts";

/** The file that shows a setting, and the value of which it tells. */
const MARKS: { name: SettingName; file: (layout: Layout) => string; value: string }[] = [
  { name: "automatic-backoffice", file: ({ manual }) => manual, value: "off" },
  { name: "durable-spool", file: ({ durable }) => durable, value: "on" },
];

/** Brings the files in line with the settings, or with the one that is named; after a change, or after a restore. */
export function showSettings(home: OpenHome, only?: SettingName): void {
  for (const { name, file, value } of MARKS) {
    if (only !== undefined && only !== name) continue;
    if (homeSettings(home)[name] === value) putMark(file(home.layout));
    else rmSync(file(home.layout), { force: true });
  }
}
