# What a commit brings, for --path and --stdin paths: the index that git named, against HEAD.

# git diff --cached in the folder $1, without any program that the repository's configuration names.
_gatepost_staged() {
  (
    [ -z "$1" ] || _gatepost_enter "$1" || exit
    shift
    exec git -c core.fsmonitor=false --no-pager diff --cached --no-ext-diff --no-textconv --no-color --no-renames \
      --ignore-submodules=dirty --relative "$@"
  ) </dev/null
  _gatepost_status=$?
  return "$_gatepost_status"
}

# Do the staged changes touch one of these pathspecs, taken from the folder $1? Leaves the hook out if not.
_gatepost_touches() {
  _gatepost_dir=$1
  shift
  _gatepost_staged "$_gatepost_dir" --quiet -- "$@"
  case $_gatepost_status in
  0) _gatepost_leave_out path 'no staged path matches --path' ;;
  1) return 0 ;;
  *) _gatepost_break "git could not compare the index for --path (exit $_gatepost_status)" ;;
  esac
  return 1
}

# Makes _gatepost_file hold the staged paths that match, without deletions, each ended by NUL and relative to the
# folder $1. Leaves the hook out if there are none.
_gatepost_paths() {
  _gatepost_file "paths-$_gatepost_id" || return
  _gatepost_dir=$1
  shift
  _gatepost_staged "$_gatepost_dir" --name-only -z --diff-filter=d -- "$@" >"$_gatepost_file" ||
    _gatepost_break "git could not list the staged paths (exit $_gatepost_status)" || return
  [ -s "$_gatepost_file" ] || { _gatepost_leave_out none 'no staged path is left for --stdin paths' && return 1; }
}
