# Is the folder of --dir there? Where nothing of it is in the index either, there is nothing to do, and the hook is left out.
_gatepost_has_folder() {
  [ ! -d "./$1" ] || return 0
  _gatepost_line=$(unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS && exec git -c core.fsmonitor=false ls-files --cached -- ":(top,literal)$1" </dev/null) ||
    _gatepost_break "the folder $1 of --dir is not there" || return
  [ -z "$_gatepost_line" ] || _gatepost_break "the folder $1 of --dir is not there" || return
  _gatepost_leave_out path "there is no folder $1"
  return 1
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
