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
