#!/bin/sh
# gatepost shim 1 editor @SUM@
#
# The editor of a plain `fossil commit`, where the user has made this the setting `editor`:
#     fossil settings editor "'/srv/x.fossil.gatepost/shim/fossil-editor' nano"
# Starts the real editor on fossil's file, then asks the commit-msg hooks of the repository whose checkout this is. The
# words before the file are that editor; without any it is VISUAL, EDITOR, or what the person types until a line with
# a dot, as fossil itself would have it.
#
# Hooks get the message as fossil would take it: without the lines that begin with #, nothing behind ten of them, no
# blank lines at its ends. What a hook leaves in the file is the message. Where one refuses, this exits with 1, fossil
# says "editor aborted" and leaves its file, in which the message stays; its name is told. With --no-verify and --dry-run
# nobody is asked, nor in a repository that is not registered. If this process dies, fossil says "editor aborted" too.
#
# Proven by test/e2e/fossil-commit.test.ts.

say() {
  printf 'gatepost: %s\n' "$1" >&2
}

# `gatepost commit` puts this script in the place of VISUAL, and the former one, or nothing, into GATEPOST_EDITOR.
edit() {
  editor=${GATEPOST_EDITOR-${VISUAL:-${EDITOR-}}}
  [ -z "${_gatepost_editing-}" ] || editor= # it is this script itself
  export _gatepost_editing=yes
  if [ "$#" -gt 1 ]; then
    "$@"
  elif [ -n "$editor" ]; then
    eval "$editor"' "$1"'
  else
    echo 'No editor is set (VISUAL, EDITOR). Type the message, then a dot on a line of its own:'
    while IFS= read -r line && [ "$line" != . ]; do printf '%s\n' "$line"; done >"$1"
  fi
}

# Makes the file hold the message alone.
strip() {
  message=$(
    LC_ALL=C awk '
      {
        sub(/\r$/, "")
        end = index($0, "##########")
        if (end) $0 = substr($0, 1, end - 1)
        if ($0 !~ /^[ \t\f\v]*#/) print
        if (end) exit
      }' "$1" | LC_ALL=C awk '/[^ \t\f\v]/ { begun = 1 } begun'
  ) && printf '%s\n' "$message" >"$1"
}

# Sets repository and home, and key where the home has others as well. Fails where there is no home.
find_home() {
  repository=$(command fossil info </dev/null | LC_ALL=C sed -n 's/^repository: *//p')
  [ -n "$repository" ] || return
  repository=$(readlink -f -- "$repository" || printf '%s' "$repository")
  home=$repository.gatepost key=
  [ ! -d "$home" ] || return 0
  { IFS= read -r text && IFS= read -r key; } 2>/dev/null <"$home" || return
  home=${text#home: } key=${key#gates: }
}

# Whether fossil was told to ask nobody. Between it and this script a shell may stand.
is_let_through() {
  pid=$PPID
  for turn in 1 2; do
    words=$(tr '\0\n' '\n ' <"/proc/$pid/cmdline") || return
    while IFS= read -r word; do
      case $word in --*) word=${word#-} ;; esac
      case $word in -no-verify | -dry-run | -n | -test) return 0 ;; esac
    done <<WORDS
$words
WORDS
    read -r pid <<PARENT
$(LC_ALL=C sed -n 's/^PPid:[^0-9]*//p' "/proc/$pid/status")
PARENT
  done 2>/dev/null
  return 1
}

for file; do :; done
case ${file-} in '') say 'this is an editor for fossil; it needs the name of a file' && exit 2 ;; esac
edit "$@" || exit
unset _gatepost_editing
if is_let_through || ! find_home; then exit 0; fi
strip "$file" || { say "$file could not be read or written (is there a program awk?)" && exit 1; }
case $file in /*) full=$file ;; *) full=$PWD/${file#./} ;; esac
if [ -r "$home/shim/fossil" ]; then
  (
    _gatepost_home=$home _gatepost_key=$key _gatepost_repository=$repository _gatepost_hook=commit-msg
    set -- "$full"
    . "$home/shim/fossil"
  )
else
  say "its home $home is missing. Mend it: gatepost init '$repository'. Way round: fossil commit --no-verify"
  (exit 1)
fi && exit
say "your message is kept in $full; to commit with it, give that file to -M"
exit 1
