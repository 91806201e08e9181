# Does $1, a function of the compiled file, accept a ref of this commit or push? Leaves the hook out if not.
_gatepost_ref() {
  _gatepost_seen=
  case $GATEPOST_TYPE in
  *commit | commit-msg)
    _gatepost_seen=yes
    [ -z "$_gatepost_branch" ] || ! _gatepost_accepts "$1" "$_gatepost_branch" || return 0
    ;;
  *)
    while IFS= read -r _gatepost_3; do # from its end: what is pushed may be "HEAD@{1 hour ago}"
      _gatepost_seen=yes
      [ "$GATEPOST_TYPE" != before-push ] || _gatepost_3=${_gatepost_3% *}
      [ -z "$_gatepost_3" ] || ! _gatepost_accepts "$1" "${_gatepost_3##* }" || return 0
    done <<INPUT
${_gatepost_input:-$_gatepost_first}
INPUT
    ;;
  esac
  [ -n "$_gatepost_seen" ] || _gatepost_break 'the refs of this push could not be read' || return
  _gatepost_leave_out ref 'no ref matches --ref'
  return 1
}

# Does $1 accept the ref $2, or the one that $2 stands for? What is written to a symbolic ref moves that one. Git asks
# pre-receive before it looks at the names that a pusher sends: one that is none must not lead to another file.
_gatepost_accepts() {
  _gatepost_line=$2 _gatepost_space=
  _gatepost_rest_of=${GIT_NAMESPACE:+$GIT_NAMESPACE/}
  while [ -n "$_gatepost_rest_of" ] && [ "$GATEPOST_TYPE" != before-push ]; do
    _gatepost_space=${_gatepost_space}refs/namespaces/${_gatepost_rest_of%%/*}/
    _gatepost_rest_of=${_gatepost_rest_of#*/}
  done
  for _gatepost_text in 1 2 3 4 5; do # as deep as git follows them
    ! "$1" "$_gatepost_line" || return 0
    [ "$GATEPOST_TYPE" != before-push ] || return
    _gatepost_text=$GATEPOST_REPOSITORY/$_gatepost_space$_gatepost_line
    case $_gatepost_space$_gatepost_line in
    *..*) return 1 ;;
    refs/*) [ -f "$_gatepost_text" ] || return ;;
    *) return 1 ;;
    esac
    if [ -L "$_gatepost_text" ]; then
      _gatepost_line="ref: $(git symbolic-ref -q -- "$_gatepost_space$_gatepost_line")"
    else
      { IFS= read -r _gatepost_line <"$_gatepost_text"; } 2>/dev/null || return
    fi
    case $_gatepost_line in ref:*) _gatepost_line=${_gatepost_line#ref:} ;; *) return 1 ;; esac
    _gatepost_line=${_gatepost_line#"${_gatepost_line%%[![:space:]]*}"}
    _gatepost_line=${_gatepost_line#"$_gatepost_space"}
  done
  return 1
}
