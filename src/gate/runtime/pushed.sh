# What a push brings, for --path and --stdin paths: on the pushing side by the lines "LREF LOID RREF ROID" of pre-push,
# on the receiving side by "OLD NEW REF". A commit is new if no ref that is there already reaches it.

# git in the folder _gatepost_dir, which pathspecs and paths are relative to. On a server, and to see whether an old
# commit is here, a partial clone fetches nothing.
_gatepost_walk() (
  [ -n "$_gatepost_local" ] && [ "$1" != cat-file ] || export GIT_ALLOW_PROTOCOL=none GIT_NO_LAZY_FETCH=1
  unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS
  export GIT_NO_REPLACE_OBJECTS=1 # refs/replace is for whoever may push
  [ -z "$_gatepost_dir" ] || _gatepost_enter "$_gatepost_dir" || exit
  exec git -c core.fsmonitor=false --no-pager "$@" </dev/null
)

# Calls $1 with OLD and NEW of each ref that does not go away, and with the other arguments. Where the hook names refs
# (_gatepost_guard accepts them), only of those.
_gatepost_each_update() {
  _gatepost_call=$1
  shift
  if [ "$GATEPOST_TYPE" = before-push ]; then _gatepost_there=--remotes=$_gatepost_remote; else _gatepost_there=--all; fi
  while IFS= read -r _gatepost_3; do
    [ -n "$_gatepost_3" ] || continue
    if [ "$GATEPOST_TYPE" = before-push ]; then # from its end: what is pushed may be "HEAD@{1 hour ago}"
      _gatepost_1=${_gatepost_3##* } _gatepost_2=${_gatepost_3% * *} _gatepost_2=${_gatepost_2##* }
      _gatepost_3=${_gatepost_3% *}
    else
      _gatepost_1=${_gatepost_3%% *} _gatepost_2=${_gatepost_3#* } _gatepost_2=${_gatepost_2%% *}
    fi
    case $_gatepost_1:$_gatepost_2 in
    *[!0-9a-f:]* | :* | *:) return 1 ;; # no hashes: git would take them for something else
    *:*[!0]*) ;;
    *) continue ;;
    esac
    [ -z "$_gatepost_guard" ] || _gatepost_accepts "$_gatepost_guard" "${_gatepost_3##* }" || continue
    "$_gatepost_call" "$_gatepost_1" "$_gatepost_2" "$@" || return
  done <<INPUT
${_gatepost_input:-$_gatepost_first}
INPUT
}

# Is $1 a commit that is here?
_gatepost_is_here() {
  case $1 in
  *[!0]*) _gatepost_walk cat-file -e "$1^{commit}" 2>/dev/null ;;
  *) return 1 ;;
  esac
}

# Sets _gatepost_known to what is not new, as git's options: what the repository has. For a ref that the hook names, only
# what this ref had, and nothing for a new one: or what is refused there would come by way of another ref.
_gatepost_take_for_known() {
  _gatepost_known=$_gatepost_there
  [ -n "$_gatepost_guard" ] || return 0
  if _gatepost_is_here "$1"; then
    _gatepost_known=$1
  elif [ "$GATEPOST_TYPE" != before-push ]; then
    _gatepost_known=
  fi
}

# Notes in _gatepost_found whether the update touches one of the pathspecs: in a new commit (a merge counts for what it
# changed itself) or, of a ref that the hook names, by what differs in the end, as after a rewind.
_gatepost_search() {
  _gatepost_old=$1 _gatepost_tip=$2
  shift 2
  [ -z "$_gatepost_found" ] || return 0
  if ! _gatepost_is_here "$_gatepost_tip"; then # a tag of a tree or a blob
    _gatepost_old=$(_gatepost_walk hash-object -t tree /dev/null) || return
    _gatepost_found=$(_gatepost_walk diff-tree -r --name-only "$_gatepost_old" "$_gatepost_tip" -- "$@" 2>/dev/null)
    return 0
  fi
  _gatepost_take_for_known "$_gatepost_old"
  _gatepost_found=$(_gatepost_walk rev-list -1 --full-history --no-merges "$_gatepost_tip" \
    ${_gatepost_known:+--not "$_gatepost_known"} -- "$@") || return
  [ -z "$_gatepost_found" ] || return 0
  _gatepost_found=$(_gatepost_walk log --merges --full-history --format= --name-only -c --no-renames "$_gatepost_tip" \
    ${_gatepost_known:+--not "$_gatepost_known"} -- "$@") || return
  if [ -n "$_gatepost_found" ] || [ "$_gatepost_known" != "$_gatepost_old" ]; then return 0; fi
  _gatepost_walk diff-tree -r --quiet --no-renames --ignore-submodules=none "$_gatepost_old" "$_gatepost_tip" -- "$@"
  case $? in 0) ;; 1) _gatepost_found=yes ;; *) return 1 ;; esac
}

# Does a new commit touch one of these pathspecs, taken from the folder $1? Leaves the hook out if not.
_gatepost_touches() {
  _gatepost_found= _gatepost_dir=$1
  shift
  _gatepost_each_update _gatepost_search "$@" || _gatepost_break 'git could not list the commits for --path' || return
  [ -n "$_gatepost_found" ] || { _gatepost_leave_out path 'no pushed path matches --path' && return 1; }
}

# Writes the paths that differ between OLD and NEW and that NEW has. A ref whose old value is not here is compared with
# the newest commit that was here already, one that the hook names with nothing.
_gatepost_differ() {
  _gatepost_old=$1 _gatepost_tip=$2
  shift 2
  _gatepost_is_here "$_gatepost_tip" || return 0
  _gatepost_take_for_known "$_gatepost_old"
  if ! _gatepost_is_here "$_gatepost_old"; then
    _gatepost_old=$(_gatepost_walk rev-list --boundary "$_gatepost_tip" ${_gatepost_known:+--not "$_gatepost_known"}) ||
      return
    case $_gatepost_old in
    '') return 0 ;; # nothing is new
    *-*) _gatepost_old=${_gatepost_old#*-} _gatepost_old=${_gatepost_old%%"$_gatepost_newline"*} ;;
    *) _gatepost_old=$(_gatepost_walk hash-object -t tree /dev/null) || return ;;
    esac
  fi
  _gatepost_walk diff-tree -r -z --name-only --diff-filter=d --no-renames --ignore-submodules=none --relative "$_gatepost_old" \
    "$_gatepost_tip" -- "$@"
}

# Makes _gatepost_file hold the pushed paths that match, each ended by NUL. Leaves the hook out if there are none.
_gatepost_paths() {
  _gatepost_list= _gatepost_dir=$2
  shift 2
  _gatepost_file "paths-$_gatepost_id" || return
  command -v cat >/dev/null 2>&1 || _gatepost_break 'there is no program cat' || return
  _gatepost_each_update _gatepost_differ "$@" >"$_gatepost_file" ||
    _gatepost_break 'git could not list the pushed paths' || return
  [ -s "$_gatepost_file" ] || { _gatepost_leave_out none 'no pushed path is left for --stdin paths' && return 1; }
  [ "$_gatepost_count" -lt 2 ] || sort -zu -o "$_gatepost_file" -- "$_gatepost_file" ||
    _gatepost_break 'the pushed paths could not be sorted'
}
