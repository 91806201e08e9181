# A gate that git asks: of which type, where the home is, on which branch.

GATEPOST_KIND=git
case $_gatepost_native in
pre-commit | pre-merge-commit) GATEPOST_TYPE=before-commit ;;
commit-msg) GATEPOST_TYPE=commit-msg ;;
*) _gatepost_load && _gatepost_begin_other "$@" ;;
esac
[ -z "${GATEPOST_TRACE-}${GATEPOST_SKIP-}" ] || { _gatepost_load && _gatepost_ask_caller; }
_gatepost_began=$_gatepost_now

# Where is the home? Usually below .git in this directory.
_gatepost_there=$PWD _gatepost_old=${OLDPWD-} _gatepost_had=${OLDPWD+yes}
if [ -z "${GIT_DIR-}${GIT_COMMON_DIR-}" ] && [ -d .git/gatepost ] && cd -P ./.git && GATEPOST_REPOSITORY=$PWD &&
  cd -- "$_gatepost_there"; then
  _gatepost_gitdir=./.git _gatepost_home=$GATEPOST_REPOSITORY/gatepost
  _gatepost_gates=$_gatepost_home/gates/
  if [ -n "$_gatepost_had" ]; then OLDPWD=$_gatepost_old; else unset OLDPWD; fi
else
  _gatepost_load && _gatepost_find_elsewhere
fi
if [ -x "$_gatepost_hooks/gatepost/chained/$_gatepost_native" ] && # and is not in the database now
  [ ! -e "$_gatepost_hooks/gatepost/moved/$_gatepost_native" ]; then _gatepost_load && _gatepost_chain "$@"; fi
[ -n "$_gatepost_home" ] || exit

if [ -n "$_gatepost_local" ]; then
  _gatepost_by=${GIT_AUTHOR_NAME-} _gatepost_mail=${GIT_AUTHOR_EMAIL-} _gatepost_date=${GIT_AUTHOR_DATE-}
  GATEPOST_USER=$_gatepost_by
  _gatepost_line=
  { IFS= read -r _gatepost_line <"$_gatepost_gitdir/HEAD"; } 2>/dev/null
  case $_gatepost_line in
  "ref: refs/heads/.invalid") _gatepost_load && _gatepost_look_for_branch ;;
  "ref: "*) _gatepost_branch=${_gatepost_line#ref: } ;;
  *) _gatepost_load && _gatepost_look_for_branch ;;
  esac
fi
