/** The completion script for zsh. The words of the line come with their quotes; `(Q)` takes these off and expands nothing. */
import type { Node } from "../completion.ts";
import { tables } from "./tables.ts";

export const zshScript = (nodes: readonly Node[]): string => `#compdef gatepost
# Completion of gatepost for zsh.
# In ~/.zshrc, below compinit (autoload -Uz compinit; compinit):
#   source <(gatepost completion zsh)
# Or as the file _gatepost in a folder of $fpath, to be written anew after each upgrade of gatepost:
#   gatepost completion zsh > /usr/local/share/zsh/site-functions/_gatepost

${tables(nodes)}

# _gatepost_offer LINES: words with what they stand for.
_gatepost_offer() {
  local -a words shown
  local line
  for line in "\${(@f)1}"; do
    [[ -n $line ]] || continue
    words+=("\${line%%$'\\t'*}")
    if [[ $line == *$'\\t'* ]]; then
      shown+=("\${line%%$'\\t'*}  -- \${line#*$'\\t'}")
    else
      shown+=("$line")
    fi
  done
  (( $#words )) && compadd -l -d shown -a -- words
}

_gatepost() {
  emulate -L zsh
  local _gatepost_path _gatepost_option _gatepost_over _gatepost_count _gatepost_homed _gatepost_sub
  local _gatepost_subs _gatepost_options _gatepost_last _gatepost_choices _gatepost_files _gatepost_ask
  local _gatepost_before offered=1
  local -a before
  before=("\${(@Q)words[2,CURRENT-1]}")
  _gatepost_walk "\${before[@]}"
  _gatepost_place "\${(Q)PREFIX}"
  [[ -n $_gatepost_before ]] && compset -p $#_gatepost_before
  [[ -n $_gatepost_choices ]] && _gatepost_offer "$_gatepost_choices" && offered=0
  if [[ -n $_gatepost_ask ]]; then
    _gatepost_offer "$(command gatepost complete "$_gatepost_ask" -- "\${before[@]}" 2>/dev/null </dev/null)" && offered=0
  fi
  (( offered )) && [[ -n $_gatepost_files ]] && _files && offered=0
  return offered
}

if [[ $funcstack[1] == _gatepost ]]; then
  _gatepost "$@"
else
  compdef _gatepost gatepost
fi
`;
