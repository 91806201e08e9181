# Does $1, a function of the compiled file, accept a ref of this commit or push? Leaves the hook out if not.
_gatepost_ref() {
  case $GATEPOST_TYPE in
  *commit | commit-msg) [ -z "$_gatepost_branch" ] || ! "$1" "$_gatepost_branch" || return 0 ;;
  *)
    while IFS= read -r _gatepost_3; do # from its end: what is pushed may be "HEAD@{1 hour ago}"
      [ "$GATEPOST_TYPE" != before-push ] || _gatepost_3=${_gatepost_3% *}
      [ -z "$_gatepost_3" ] || ! "$1" "${_gatepost_3##* }" || return 0
    done <<INPUT
${_gatepost_input:-$_gatepost_first}
INPUT
    ;;
  esac
  _gatepost_leave_out ref 'no ref matches --ref'
  return 1
}
