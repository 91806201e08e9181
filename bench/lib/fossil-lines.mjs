/** Prints the artifact lines of a Fossil file's receipts (AFTER, UPTO], searched for: `fossil-lines.mjs FILE AFTER UPTO`. */
import { listArtifacts } from "../../dist/vcs/fossil/listing.js";
import { readFossil } from "../../dist/vcs/fossil/open.js";

const [file, after, upto] = process.argv.slice(2);
await readFossil(file, (db) => {
  for (const chunk of listArtifacts(db, { spans: [{ after: Number(after), upto: Number(upto), rows: null }] }))
    process.stdout.write(chunk);
});
