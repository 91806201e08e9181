# What a commit brings, for --path, --stdin paths and --dir on Fossil: the files of fossil's description; for commit-msg
# hooks, which are asked before there is one, all that differs in the checkout. Read once for all hooks.

# Sets _gatepost_changes to a line for each path: "+" and a path that the commit has, "-" and one that it takes away. Of a
# renamed file fossil's description has both names, or the new one alone (2.21).
_gatepost_list_changes() {
  [ -z "${_gatepost_changes-}" ] || return 0
  _gatepost_fault='awk could not read what is being committed'
  if [ "$GATEPOST_TYPE" = before-commit ]; then
    _gatepost_changes=$(_gatepost_sort_changes <"$_gatepost_described")
  else
    _gatepost_changes=$(_gatepost_fossil changes | _gatepost_sort_changes)
  fi || _gatepost_break 'the changed files could not be listed (is there a program awk?)'
}

# A word of ten letters or less is filled up to ten. What is left of a name with an arrow in it, is a file of that name.
_gatepost_sort_changes() {
  LC_ALL=C command awk '
    /^(private-branch|integrate|checkin-comment)$/ { exit }
    !/^[A-Z]/ || /^(CHERRYPICK|BACKOUT|INTEGRATE|MERGED_WITH) / { next }
    {
      word = $1
      path = length(word) > 10 ? substr($0, length(word) + 2) : substr($0, 12)
      arrow = index(path, "  ->  ")
      if (word == "DELETED" || word == "MISSING") print "-" path
      else if (arrow == 0 || (getline line < path) >= 0) print "+" path
      else {
        print "-" substr(path, 1, arrow - 1)
        print "+" substr(path, arrow + 6)
      }
    }
    END { print "end" }
  '
}

# Prints the changed paths below the folder $2 that the function $3 accepts, relative to it. $1 is "all", or "here" to
# leave out those that the commit takes away. To be called in a subshell.
_gatepost_matching() {
  set -f
  IFS=$_gatepost_newline LC_ALL=C
  for _gatepost_line in $_gatepost_changes; do
    case $1$_gatepost_line in
    *end | here-*) continue ;;
    esac
    _gatepost_line=${_gatepost_line#?}
    _gatepost_text=$_gatepost_line
    if [ -n "$2" ]; then
      _gatepost_text=${_gatepost_line#"$2/"}
      [ "$_gatepost_text" != "$_gatepost_line" ] || continue
    fi
    ! "$3" "$_gatepost_text" "$_gatepost_line" || printf '%s\n' "$_gatepost_text"
  done
}

_gatepost_any() {
  :
}

# Does the commit touch a path that $2 accepts, below the folder $1? Leaves the hook out if not.
_gatepost_touches() {
  _gatepost_list_changes || return
  _gatepost_list=$(_gatepost_matching all "$1" "$2")
  [ -n "$_gatepost_list" ] || { _gatepost_leave_out path 'no changed path matches --path' && return 1; }
}

# Lists the paths that $3 accepts, without deletions and relative to the folder $2, for _gatepost_supply ($1 is "list")
# or as a file ("file"). Leaves the hook out if there are none.
_gatepost_paths() {
  _gatepost_list_changes || return
  _gatepost_list=$(_gatepost_matching here "$2" "$3")
  [ -n "$_gatepost_list" ] || { _gatepost_leave_out none 'no changed path is left for --stdin paths' && return 1; }
  [ "$1" = file ] || return 0
  _gatepost_file "paths-$_gatepost_id" || return
  (_gatepost_supply) >"$_gatepost_file" || _gatepost_break "$_gatepost_file cannot be written" || return
  _gatepost_list=
}
