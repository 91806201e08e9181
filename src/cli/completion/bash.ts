/**
 * The completion script for bash.
 *
 * bash hands over words cut at ":" and "=" and with their quotes on. `_gatepost_cut` cuts the line anew, without either,
 * and without expanding anything: "$(x)" on the line stays these five characters. What is offered goes back quoted the
 * way the word was begun, and without the part up to the last character at which bash itself cuts.
 */
import type { Node } from "../completion.ts";
import { tables } from "./tables.ts";

export const bashScript = (nodes: readonly Node[]): string => `# Completion of gatepost for bash 4 and newer.
# For one user, in ~/.bashrc:
#   source <(gatepost completion bash)
# For everyone, where the package bash-completion is installed, as root:
#   gatepost completion bash > /usr/share/bash-completion/completions/gatepost
# The second is to be repeated after each upgrade of gatepost.

${tables(nodes)}

# _gatepost_cut LINE: its words without their quotes; of the last one also which quote is open, and how much of it stands
# up to where bash cuts it.
_gatepost_cut() {
  local line=$1 character next at=0 inside=''
  _gatepost_line=() _gatepost_word='' _gatepost_quote='' _gatepost_skip=0
  while ((at < \${#line})); do
    character=\${line:at:1}
    next=\${line:at+1:1}
    at=$((at + 1))
    if [[ $_gatepost_quote == "'" ]]; then
      if [[ $character == "'" ]]; then _gatepost_quote=''; else _gatepost_word+=$character; fi
      continue
    fi
    if [[ $character == "\\\\" && ( -z $_gatepost_quote || $next == [\\"\\\\\\$\\\`] ) ]]; then
      _gatepost_word+=$next
      at=$((at + 1)) inside=yes
      continue
    fi
    if [[ -n $_gatepost_quote ]]; then
      if [[ $character == '"' ]]; then _gatepost_quote=''; else _gatepost_word+=$character; fi
      continue
    fi
    case $character in
      [[:space:]])
        [[ -n $_gatepost_word$inside ]] && _gatepost_line+=("$_gatepost_word")
        _gatepost_word='' inside='' _gatepost_skip=0
        continue
        ;;
      "'" | '"')
        _gatepost_quote=$character inside=yes
        _gatepost_skip=\${#_gatepost_word}
        continue
        ;;
    esac
    _gatepost_word+=$character
    [[ $COMP_WORDBREAKS == *"$character"* ]] && _gatepost_skip=\${#_gatepost_word}
  done
}

# _gatepost_offer WORD: one of the possible words, if it fits.
_gatepost_offer() {
  local word=$_gatepost_before$1
  [[ $word == "$_gatepost_word"* ]] || return
  word=\${word:_gatepost_skip}
  case $_gatepost_quote in
    "'") word=\${word//\\'/\\'\\\\\\'\\'} ;;
    '"')
      word=\${word//\\\\/\\\\\\\\}
      word=\${word//\\"/\\\\\\"}
      word=\${word//\\$/\\\\$}
      word=\${word//\\\`/\\\\\\\`}
      ;;
    *) printf -v word %q "$word" ;;
  esac
  COMPREPLY+=("$word")
}

_gatepost() {
  local _gatepost_path _gatepost_option _gatepost_over _gatepost_count _gatepost_homed _gatepost_sub
  local _gatepost_subs _gatepost_options _gatepost_last _gatepost_choices _gatepost_files _gatepost_ask
  local _gatepost_before _gatepost_line _gatepost_word _gatepost_quote _gatepost_skip word rest
  COMPREPLY=()
  _gatepost_cut "\${COMP_LINE:0:COMP_POINT}"
  _gatepost_walk "\${_gatepost_line[@]:1}"
  _gatepost_place "$_gatepost_word"
  while IFS=$'\\t' read -r word rest; do
    [[ -n $word ]] && _gatepost_offer "$word"
  done <<<"$_gatepost_choices"
  if [[ -n $_gatepost_ask ]]; then
    while IFS=$'\\t' read -r word rest; do
      _gatepost_offer "$word"
    done < <(command gatepost complete "$_gatepost_ask" -- "\${_gatepost_line[@]:1}" 2>/dev/null </dev/null)
  fi
  if ((\${#COMPREPLY[@]} == 0)) && [[ -n $_gatepost_files ]]; then compopt -o default 2>/dev/null; fi
  return 0
}

complete -F _gatepost gatepost
`;
