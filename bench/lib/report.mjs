/** What a benchmark prints: a table, one line of JSON for each claim, and on a terminal how far it is. */

/** Prints rows under their head, in columns as wide as they must be; numbers stand to the right. */
export function table(head, rows) {
  const all = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  for (const row of all)
    console.log(
      `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ")}`.trimEnd(),
    );
}

/** Shows what is being done, on a terminal only; the next call overwrites it, an empty text wipes it. */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/**
 * A claim that was measured. `goal` is the most that `figure` may be, or the least where `atLeast` is set; null where
 * a figure is only stated. Printed as one line of JSON.
 */
export function claim({ claim, figure, goal, atLeast = false, ...facts }) {
  const rounded = round(figure);
  const met = goal === null ? null : atLeast ? figure >= goal : figure <= goal;
  const said = {
    claim,
    figure: rounded,
    goal,
    met,
    ...Object.fromEntries(Object.entries(facts).map(([k, v]) => [k, round(v)])),
  };
  progress("");
  console.log(JSON.stringify(said));
  return { ...said, atLeast };
}

/** A claim that could not be measured here, and why. */
export function skipped(name, goal, why) {
  progress("");
  console.log(JSON.stringify({ claim: name, figure: null, goal, met: null, skipped: why }));
  return { claim: name, figure: null, goal, met: null, skipped: why, atLeast: false };
}

function round(value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
