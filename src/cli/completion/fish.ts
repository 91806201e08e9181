/**
 * The completion script for fish: the same tables and the same walk as for bash and zsh (tables.ts says what they are), in
 * fish's own words. fish takes the quotes off the words it hands over, and puts them on what is chosen.
 */
import type { Node, Value, Word } from "../completion.ts";
import { places } from "./tables.ts";

/** In single quotes, where fish knows two escapes. */
const quoted = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;

const set = (name: string, values: readonly string[]): string =>
  `            set -g __gatepost_${name}${values.map((value) => ` ${quoted(value)}`).join("")}`;

const lines = (words: readonly Word[]): string[] =>
  words.map(({ word, says }) => (says === "" ? word : `${word}\t${says}`));

const arm = (keys: readonly string[], ...body: string[]): string =>
  [`        case ${keys.map(quoted).join(" ")}`, ...body].join("\n");

const cases = (name: string, says: string, arms: readonly string[]): string =>
  [`# ${says}`, `function ${name}`, '    switch "$argv"', ...arms, "        case '*'", "            return 1"]
    .concat("    end", "    return 0", "end")
    .join("\n");

const commandArm = ({ path, words, options, args, more }: Node): string =>
  arm(
    [path],
    set("subs", lines(words)),
    set("options", lines(options)),
    set("last", more ? [String(args.length - 1)] : []),
  );

const valueArm = ({ value, keys }: { value: Value; keys: readonly string[] }): string =>
  arm(
    keys,
    set("choices", lines(value.words)),
    set("files", value.files ? ["yes"] : []),
    set("ask", value.ask === null ? [] : [value.ask]),
  );

const shortArms = ({ path, short }: Node): string[] =>
  [...new Set(short.values())].map((name) =>
    arm(
      [...short].filter(([, full]) => full === name).map(([word]) => `${path} ${word}`),
      set("sub", [name]),
    ),
  );

export const fishScript = (nodes: readonly Node[]): string => `# Completion of gatepost for fish.
# In ~/.config/fish/config.fish:
#   gatepost completion fish | source
# Or once, to be repeated after each upgrade of gatepost:
#   gatepost completion fish > ~/.config/fish/completions/gatepost.fish

${cases("__gatepost_command", "What can follow a command.", nodes.map(commandArm))}

${cases("__gatepost_value", "What can be the value of an option, or of an argument (by number from 0).", places(nodes).map(valueArm))}

${cases("__gatepost_short", "The sub-command that a word, maybe shortened, stands for.", nodes.flatMap(shortArms))}

# What can stand where the cursor is.
function __gatepost_complete
    set -l words (commandline -opc)[2..-1]
    set -l current (commandline -ct)
    set -l path gatepost
    set -l option
    set -l over
    set -l count 0
    set -l homed
    __gatepost_command gatepost
    for word in $words
        string match -qr -- '^--?home(=|$)' $word; and set homed yes
        if set -q option[1]
            set option
        else if not set -q over[1]; and string match -q -- '-*' $word
            if test "$word" = --
                set over yes
            else if string match -q -- '*=*' $word
                continue
            else if string match -qr -- '^-[a-z][a-z]' $word; and __gatepost_value $path -$word
                set option -$word
            else if __gatepost_value $path $word
                set option $word
            end
        else if test "$path$count$word" = gatepost0help
            continue
        else if test $count = 0; and not set -q over[1]; and __gatepost_short $path $word
            set path "$path $__gatepost_sub"
            __gatepost_command $path
        else
            set count (math $count + 1)
        end
    end

    set -g __gatepost_choices
    set -g __gatepost_files
    set -g __gatepost_ask
    set -l before ''
    set -l rest $current
    if set -q option[1]
        __gatepost_value $path $option
    else if not set -q over[1]; and string match -q -- '--*=*' $current
        set before (string replace -r -- '=.*' '=' $current)
        set rest (string replace -r -- '^[^=]*=' '' $current)
        __gatepost_value $path (string replace -r -- '=.*' '' $current)
    else if not set -q over[1]; and string match -q -- '-*' $current
        set __gatepost_choices $__gatepost_options
    else
        set -l place $count
        if set -q __gatepost_last[1]; and test $place -gt $__gatepost_last
            set place $__gatepost_last
        end
        __gatepost_value $path $place
        if test $count = 0; and not set -q over[1]
            set __gatepost_choices $__gatepost_subs $__gatepost_choices
        end
    end
    # A name means a repository only beside --home; a path always does.
    if test "$__gatepost_ask" = repositories; and begin; not set -q homed[1]; or string match -q -- '*/*' $rest; end
        set __gatepost_ask
    end
    set -l choices $__gatepost_choices
    if set -q __gatepost_ask[1]; and command -sq gatepost
        set -a choices (command gatepost complete $__gatepost_ask -- $words 2>/dev/null </dev/null)
    end
    if set -q __gatepost_files[1]; and not string match -qr -- '^'(string escape --style=regex -- "$rest") $choices
        set choices (complete -C "'' $(string escape -- $rest)")
    end
    for choice in $choices
        printf '%s%s\\n' $before $choice
    end
    return 0
end

complete -c gatepost -f -a '(__gatepost_complete)'
`;
