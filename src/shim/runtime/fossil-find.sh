# A gate that fossil asks: which checkout, what is being committed, by whom and on which branch.

GATEPOST_KIND=fossil GATEPOST_TYPE=$_gatepost_native GATEPOST_BRANCH= GATEPOST_PARENT= GATEPOST_CLOSE=
[ -z "${GATEPOST_TRACE-}${GATEPOST_SKIP-}" ] || { _gatepost_load && _gatepost_ask_caller; }
_gatepost_began=$_gatepost_now _gatepost_home=$_gatepost_place
_gatepost_gates=$_gatepost_home/gates/${_gatepost_key:+$_gatepost_key.}
GATEPOST_REPOSITORY=${_gatepost_stated:-${_gatepost_home%.gatepost}}

# The checkout's root is the folder of the checkout's database: this one, or above it.
_gatepost_described= _gatepost_others= _gatepost_old=${OLDPWD-} _gatepost_had=${OLDPWD+yes}
_gatepost_fault="this folder ($PWD) is in no checkout, or fossil has left no description of the commit there"
cd -P .
while :; do
  if [ -f .fslckout ] || [ -f _FOSSIL_ ] || [ -f .fos ]; then
    [ "$_gatepost_native" = before-commit ] || break
    for _gatepost_text in "${PWD%/}"/commit-description-????????????????.txt; do
      [ -f "$_gatepost_text" ] || continue
      [ -z "$_gatepost_described" ] || _gatepost_others=yes
      if [ -z "$_gatepost_described" ] || [ "$_gatepost_text" -nt "$_gatepost_described" ]; then
        _gatepost_described=$_gatepost_text
      fi
    done
    [ -z "$_gatepost_others" ] || { _gatepost_load && _gatepost_choose_description; }
    [ -z "$_gatepost_described" ] || break
  fi
  [ "$PWD" != / ] && cd .. || exit
done
if [ -n "$_gatepost_had" ]; then OLDPWD=$_gatepost_old; else unset OLDPWD; fi

if [ "$_gatepost_native" = before-commit ]; then
  _gatepost_1= _gatepost_tags= _gatepost_words=
  {
    while IFS= read -r _gatepost_line; do
      case $_gatepost_line in
      'checkout '*) _gatepost_1=${_gatepost_line#checkout } ;;
      'repository '*) ;;
      'user '*) _gatepost_by=${_gatepost_line#user } ;;
      'branch '*) _gatepost_branch=${_gatepost_line#branch } ;;
      'tags '*) _gatepost_tags=${_gatepost_line#tags } ;;
      *) break ;;
      esac
    done <"$_gatepost_described"
  } 2>/dev/null
  _gatepost_fault="the description of the commit is of another checkout ($_gatepost_described)"
  [ "$_gatepost_1" = "${PWD%/}/" ] || exit
  _gatepost_said=$_gatepost_branch _gatepost_given=yes
  case ", $_gatepost_tags, " in
  ", , " | *", $_gatepost_branch, "*) ;;
  *) _gatepost_given= ;;
  esac
  _gatepost_1=0
  {
    while IFS= read -r _gatepost_line || [ -n "$_gatepost_line" ]; do # the shell leaves out the NULs
      _gatepost_words=$_gatepost_words$_gatepost_line _gatepost_1=$((_gatepost_1 + 1))
      [ "$_gatepost_1" -lt 20 ] || { _gatepost_words=-close-b && break; }
    done <"/proc/$PPID/cmdline"
  } 2>/dev/null
  case $_gatepost_given:${_gatepost_words:--close-b} in
  *-close* | :*-b* | :*-args* | :*-private*) _gatepost_load && _gatepost_look_at_words ;;
  esac
  case $_gatepost_given:$_gatepost_tags in
  yes:*) ;;
  :*", "*) _gatepost_load && _gatepost_ask_branch ;;
  *) _gatepost_branch=$_gatepost_tags ;;
  esac
else
  _gatepost_load
  _gatepost_by=${FOSSIL_USER:-${USER-}} _gatepost_branch=$_gatepost_named
  [ -n "$_gatepost_branch" ] || _gatepost_ask_branch
fi
# %F is the fossil program, as in Fossil's own hooks.
_gatepost_program=fossil
command -v fossil >/dev/null 2>&1 || _gatepost_program=/proc/$PPID/exe
GATEPOST_USER=$_gatepost_by GATEPOST_BRANCH=$_gatepost_branch
export GATEPOST_BRANCH GATEPOST_PARENT GATEPOST_CLOSE
