# What a commit brings, for --path and --stdin paths: the index that git named, against HEAD. To be called in a subshell,
# which becomes git: git diff --cached in the folder $1, without any program that the repository's configuration names.
_gatepost_staged() {
  [ -z "$1" ] || _gatepost_enter "$1" || exit
  shift
  unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS # --path means the same always
  exec git -c core.fsmonitor=false -c core.quotePath=false --no-pager diff --cached --no-ext-diff --no-textconv \
    --no-color --no-renames --ignore-submodules=dirty --relative "$@" </dev/null
}

# Do the staged changes touch one of these pathspecs, taken from the folder $1? Leaves the hook out if not.
_gatepost_touches() {
  _gatepost_dir=$1
  shift
  (_gatepost_staged "$_gatepost_dir" --quiet -- "$@")
  _gatepost_status=$?
  case $_gatepost_status in
  0) _gatepost_leave_out path 'no staged path matches --path' ;;
  1) return 0 ;;
  *) _gatepost_break "git could not compare the index for --path (exit $_gatepost_status)" ;;
  esac
  return 1
}

# Lists the staged paths that match, without deletions and relative to the folder $2, for _gatepost_supply ($1 is
# "list") or as a file ("file"). Leaves the hook out if there are none. Names that git quotes go by way of a file.
_gatepost_paths() {
  _gatepost_way=$1 _gatepost_dir=$2
  shift 2
  if [ "$_gatepost_way" = list ]; then
    _gatepost_list=$(_gatepost_staged "$_gatepost_dir" --name-only --diff-filter=d -- "$@") ||
      _gatepost_break 'git could not list the staged paths' || return
    case $_gatepost_list in
    '') _gatepost_leave_out none 'no staged path is left for --stdin paths' && return 1 ;;
    *\"*) ;;
    *) return 0 ;;
    esac
  fi
  _gatepost_list=
  _gatepost_file "paths-$_gatepost_id" || return
  command -v cat >/dev/null 2>&1 || _gatepost_break 'there is no program cat' || return
  (_gatepost_staged "$_gatepost_dir" --name-only -z --diff-filter=d -- "$@") >"$_gatepost_file" ||
    _gatepost_break 'git could not list the staged paths' || return
  [ -s "$_gatepost_file" ] || { _gatepost_leave_out none 'no staged path is left for --stdin paths' && return 1; }
}
