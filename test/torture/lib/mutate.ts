/** Inputs that are nearly right: made of valid ones by bytes flipped, parts cut, repeated, moved and joined, and words
 *  put in that mean something somewhere. Characters up to \xff stand for bytes where a reader reads bytes. */
import type { Random } from "../../helpers/random.ts";

const LONGEST = 1 << 16;

const TOKENS = [
  ..."\0\n\r\t\x1b\x7f\xff\xfe \"'`$\\|&;<>(){}[]*?!#~%:,.-+/=@^",
  ..."\n \n\n end 0\n|end 1+\n|updates\n|refs/heads/|: |- |---\n|'''|\"\"\"|<<|>> |&a |*a|!!js|!!binary |<<: *a\n".split(
    "|",
  ),
  ..."%F|%R|%A|%%|%%%|${x:-|$((|$(|case x in|esac|<<E\n|[[|$'|\\\n|;;|#".split("|"),
  ..."null|true|-1|-0|1e999|9007199254740993|0x10|NaN|__proto__|constructor|toString|valueOf|{}|[]|\\u0000".split("|"),
  ..."00|000000000|99999999999999999999|../|./|//|:(|:(glob)|:(exclude)|:!|**/|[!a-|[[:alpha:]]|{a,b}|(a|b)|(?i)".split(
    "|",
  ),
  "\ud800",
  "\u2028",
  "é",
  "\ufeff",
  "💥",
] as const;

/** Makes inputs out of seeds; each call gives another one. */
export function mutator(random: Random): (seeds: readonly string[]) => string {
  const noise = (): string =>
    Array.from({ length: 1 + random.below(random.chance(0.1) ? 400 : 12) }, () =>
      String.fromCharCode(random.below(random.chance(0.5) ? 256 : 128)),
    ).join("");

  function mutated(text: string, seeds: readonly string[]): string {
    const at = random.below(text.length + 1);
    const end = Math.min(text.length, at + 1 + random.below(random.chance(0.3) ? text.length + 1 : 8));
    const [head, part, tail] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
    switch (random.below(9)) {
      case 0:
        return head + String.fromCharCode((part.charCodeAt(0) || 0) ^ (1 << random.below(8))) + part.slice(1) + tail;
      case 1:
        return head + tail;
      case 2:
        return head + part.repeat(2 + random.below(random.chance(0.01) ? 4000 : 4)) + tail;
      case 3:
        return head + random.pick(TOKENS) + part + tail;
      case 4:
        return head + random.pick(TOKENS) + tail;
      case 5:
        return head + random.pick(seeds).slice(random.below(20)) + (random.chance(0.5) ? tail : "");
      case 6:
        return tail + part + head;
      case 7:
        return head + random.pick(TOKENS).repeat(random.below(random.chance(0.02) ? 3000 : 5)) + tail;
      default:
        return head + noise() + tail;
    }
  }

  return (seeds) => {
    if (random.chance(0.03)) return noise();
    let text = random.pick(seeds);
    for (let left = 1 + random.below(4); left > 0; left--) text = mutated(text, seeds).slice(0, LONGEST);
    return text;
  };
}

/** A shorter input for which `fails` is still true. */
export function shortened(input: string, fails: (input: string) => boolean): string {
  let best = input;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0, tries = 0; at + size <= best.length && tries < 200; tries++) {
      const shorter = best.slice(0, at) + best.slice(at + size);
      if (fails(shorter)) best = shorter;
      else at += size;
    }
  }
  return best;
}
