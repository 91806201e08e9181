# Is the folder of --dir there? If not, a commit that brings nothing into it (it was deleted, is not checked out, or is not
# of this branch) leaves the hook out; one that does cannot be judged.
_gatepost_has_folder() {
  [ ! -d "./$1" ] || return 0
  case $GATEPOST_TYPE in
  before-commit | commit-msg)
    _gatepost_line=$(_gatepost_staged '' --name-only --diff-filter=d -- ":(top,literal)$1") ||
      _gatepost_break 'git could not list the staged paths' || return
    [ -n "$_gatepost_line" ] || { _gatepost_leave_out path "there is no folder $1" && return 1; }
    ;;
  esac
  _gatepost_break "the folder $1 of --dir is not there"
}

# Goes to the folder of --dir, below the root of the work tree. What git said relative to the root is made absolute, and
# in a linked work tree, where git sets GIT_DIR alone, git is told the root, or it would take this folder for it.
_gatepost_enter() {
  case ${GIT_INDEX_FILE-} in '' | /*) ;; *) GIT_INDEX_FILE=$PWD/$GIT_INDEX_FILE ;; esac
  case ${GIT_DIR-} in '' | /*) ;; *) GIT_DIR=$PWD/$GIT_DIR ;; esac
  if [ -n "${GIT_DIR-}" ]; then
    GIT_WORK_TREE=${GIT_WORK_TREE:-$PWD}
    export GIT_WORK_TREE
  fi
  cd -- "./$1" || return
  [ ! -d node_modules/.bin ] || PATH=$PWD/node_modules/.bin:$PATH
}
