/** A command line split into words as pre-commit splits it: quotes and backslashes as in sh, nothing else is special.
 *  */
export function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? "";
    if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (char === "\\") {
      at += 1;
      if (at === line.length) return null;
      word = (word ?? "") + line[at];
    } else if (char === "'" || char === '"') {
      const found = char === "'" ? /'([^']*)'/y : /"((?:[^"\\]|\\[\s\S])*)"/y;
      found.lastIndex = at;
      const match = found.exec(line);
      if (match === null) return null;
      word = (word ?? "") + (char === "'" ? match[1] : (match[1] ?? "").replace(/\\(["\\])/g, "$1"));
      at += match[0].length - 1;
    } else word = (word ?? "") + char;
  }
  return word === null ? words : [...words, word];
}
