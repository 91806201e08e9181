/**
 * A key that stands twice in one place of a JSON text. JSON.parse takes the last of them without a word, so that a file
 * would mean something else than whoever reads its beginning believes.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

type Inside = { readonly place: string; readonly keys: Set<string> | null; key: string; index: number };

/** Where the first repeated key stands, such as `hooks[0].type`; null where none is. The text is JSON that parses. */
export function repeatedKey(json: string): string | null {
  const around: Inside[] = [];
  let text = "";
  for (const [token] of json.matchAll(TOKEN)) {
    const inside = around.at(-1);
    if (token === "{" || token === "[") {
      const place = inside === undefined ? "" : placeIn(inside);
      around.push({ place, keys: token === "{" ? new Set() : null, key: "", index: 0 });
    } else if (token === "}" || token === "]") around.pop();
    else if (token === "," && inside !== undefined) inside.index += 1;
    else if (token === ":" && inside?.keys) {
      inside.key = JSON.parse(text) as string;
      if (inside.keys.has(inside.key)) return placeIn(inside);
      inside.keys.add(inside.key);
    } else text = token;
  }
  return null;
}

function placeIn({ place, keys, key, index }: Inside): string {
  if (keys === null) return `${place}[${index}]`;
  return place === "" ? key : `${place}.${key}`;
}
