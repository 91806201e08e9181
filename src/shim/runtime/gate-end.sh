# The end of the gate's runtime: what a hook's end means, what people are told, and what is written down. Follows
# gate-rest.sh in one file.

# The exit status of an after hook that failed: git checkout ends with that of post-checkout, all else ignores it.
_gatepost_result=

# What the end of a hook means: its exit STATUS, and "advisory" where its refusal does not count.
_gatepost_judge() {
  _gatepost_closed=$((_gatepost_closed + 1))
  _gatepost_since "$_gatepost_start"
  _gatepost_word=refused _gatepost_how="exit $1"
  case $_gatepost_timed_out:$1 in
  :0) _gatepost_word=pass ;;
  :126) _gatepost_word=broken _gatepost_how='a program could not be run (exit 126)' ;;
  :127) _gatepost_word=broken _gatepost_how="a program was not found (exit 127, PATH $PATH)" ;;
  :*) if [ "$1" -gt 128 ] && [ "$1" -le 192 ]; then
    _gatepost_word=signal _gatepost_how="killed by signal $(($1 - 128))"
  fi ;;
  *) _gatepost_word=timeout _gatepost_how="ended after $_gatepost_timed_out s (--timeout)" ;;
  esac
  [ -z "$_gatepost_trace" ] || _gatepost_say "$GATEPOST_TYPE $_gatepost_label: $_gatepost_how, $_gatepost_took ms"
  if [ "$_gatepost_word" != pass ] && [ -n "${2-}$_gatepost_after" ]; then
    _gatepost_say "$GATEPOST_TYPE $_gatepost_label failed: $_gatepost_how.${2:+ It is advisory, so nothing is refused.}"
    _gatepost_word=advisory
    [ -n "${2-}" ] || _gatepost_result=${_gatepost_result:-$1}
  elif [ "$_gatepost_word" != pass ] && [ -z "$_gatepost_stop" ]; then
    _gatepost_stop=yes _gatepost_verdict=refused _gatepost_code=$1
    _gatepost_who=$_gatepost_label _gatepost_name=$GATEPOST_HOOK
    [ "$_gatepost_word" = refused ] || _gatepost_verdict=broken _gatepost_why=$_gatepost_how
  fi
  _gatepost_lines=${_gatepost_lines}ran\ $_gatepost_id\ $_gatepost_word\ $1\ $_gatepost_took$_gatepost_newline
}

# Adds "KEY VALUE" to the entry unless the value is empty; a newline in it is followed by a space.
_gatepost_put() {
  case $2 in
  '') return ;;
  *"$_gatepost_newline"*)
    _gatepost_text=
    while IFS= read -r _gatepost_line; do
      _gatepost_text="$_gatepost_text${_gatepost_text:+ }$_gatepost_line$_gatepost_newline"
    done <<VALUE
$2
VALUE
    _gatepost_entry="$_gatepost_entry$1 $_gatepost_text"
    ;;
  *) _gatepost_entry="$_gatepost_entry$1 $2$_gatepost_newline" ;;
  esac
}

_gatepost_record() {
  _gatepost_since "$_gatepost_began"
  _gatepost_entry="gatepost 1${_gatepost_newline}kind gate${_gatepost_newline}hook $_gatepost_native$_gatepost_newline"
  _gatepost_entry="${_gatepost_entry}run $GATEPOST_RUN${_gatepost_newline}clock $_gatepost_now$_gatepost_newline"
  _gatepost_put dir "$GATEPOST_REPOSITORY"
  if [ -z "$_gatepost_local" ]; then
    _gatepost_put namespace "${GIT_NAMESPACE-}"
    _gatepost_put gl_user "${GL_USER-}"
    _gatepost_put gl_repo "${GL_REPO-}"
    _gatepost_put remote_user "${REMOTE_USER-}"
    _gatepost_text=${REMOTE_ADDR:-${SSH_CONNECTION:-${SSH_CLIENT-}}}
    _gatepost_put address "${_gatepost_text%% *}"
  fi
  _gatepost_entry="${_gatepost_entry}type $GATEPOST_TYPE${_gatepost_newline}verdict $_gatepost_verdict$_gatepost_newline"
  _gatepost_put took "$_gatepost_took"
  if [ -n "$_gatepost_branch" ]; then _gatepost_put branch "$_gatepost_branch"; fi
  if [ "$GATEPOST_TYPE" = before-commit ] || [ "$GATEPOST_TYPE" = commit-msg ]; then
    _gatepost_put author_name "$_gatepost_by"
    _gatepost_put author_email "$_gatepost_mail"
    _gatepost_put author_date "$_gatepost_date"
  fi
  _gatepost_put reason "$_gatepost_why"
  _gatepost_entry=$_gatepost_entry$_gatepost_lines
  case $_gatepost_native in
  pre-receive | update)
    _gatepost_first=${_gatepost_first:+$_gatepost_first$_gatepost_newline}
    _gatepost_entry="${_gatepost_entry}updates$_gatepost_newline$_gatepost_first"
    ;;
  *) _gatepost_count=0 _gatepost_more= ;;
  esac
  _gatepost_entry="${_gatepost_entry}end $_gatepost_count$_gatepost_more$_gatepost_newline"
  _gatepost_text=$_gatepost_home/spool/gates
  umask 077
  if [ -e "$_gatepost_home/shared" ] || [ "${#_gatepost_entry}" -gt 3000 ]; then
    umask 022
    set -C
    _gatepost_text=$_gatepost_home/spool/$GATEPOST_RUN.entry
    { printf '%s' "$_gatepost_entry" >"$_gatepost_text"; } 2>/dev/null
  else
    { printf '\n%s' "$_gatepost_entry" >>"$_gatepost_text"; } 2>/dev/null
  fi || _gatepost_say 'this run could not be recorded in the spool; the verdict stands'
}

# Says what was refused and why, what was not run, and the way round.
_gatepost_explain() {
  case $GATEPOST_TYPE in
  before-commit | commit-msg | *prepare-commit-msg) _gatepost_what='this commit' _gatepost_git='git commit' ;;
  before-push) _gatepost_what='this push' _gatepost_git='git push' ;;
  before-receive) _gatepost_what='this push' _gatepost_git= ;;
  before-ref) _gatepost_what='this ref' _gatepost_git= ;;
  git:pre-rebase) _gatepost_what='this rebase' _gatepost_git='git rebase' ;;
  *) _gatepost_what='this' _gatepost_git= ;;
  esac
  [ "$GATEPOST_KIND" != fossil ] || _gatepost_git=$_gatepost_caller
  if [ -n "$_gatepost_after" ]; then
    _gatepost_text="$GATEPOST_TYPE hooks could not be run: $_gatepost_why."
  elif [ "$_gatepost_verdict" = refused ]; then
    _gatepost_text="$GATEPOST_TYPE $_gatepost_who refused $_gatepost_what."
  elif [ -n "$_gatepost_who" ]; then
    _gatepost_text="$GATEPOST_TYPE $_gatepost_who is broken, so $_gatepost_what is refused: $_gatepost_why."
  else
    _gatepost_text="The $GATEPOST_TYPE gate is broken, so $_gatepost_what is refused: $_gatepost_why."
    _gatepost_text=$_gatepost_text${_gatepost_mend:+" Mend it: $_gatepost_mend."}
  fi
  _gatepost_text=$_gatepost_text${_gatepost_unrun:+" Not run: $_gatepost_unrun."}
  if [ -n "$_gatepost_local" ] && [ -n "$_gatepost_git" ]; then
    if [ "$_gatepost_verdict" = refused ] && [ -n "$_gatepost_name" ]; then
      _gatepost_text="$_gatepost_text Skip this one: GATEPOST_SKIP=$_gatepost_name $_gatepost_git …"
    elif [ "$_gatepost_native" != prepare-commit-msg ]; then
      _gatepost_text="$_gatepost_text Way round: $_gatepost_git --no-verify"
    fi
  fi
  _gatepost_say "$_gatepost_text"
}

# Ends what is not usual: temporary files, what people are told, the record. Ctrl-C reaches the hooks as well; what was
# put into a group of its own is ended here, and then this process dies of the same signal.
_gatepost_conclude() {
  if [ -n "$_gatepost_signal" ]; then
    trap '' INT TERM HUP
    _gatepost_code=130
    [ -z "$_gatepost_pid" ] || _gatepost_end_timed
    _gatepost_verdict=interrupted _gatepost_why=SIG$_gatepost_signal
  elif [ -z "$_gatepost_whole" ]; then
    _gatepost_verdict=broken _gatepost_why=$_gatepost_fault _gatepost_who=
  fi
  [ -z "$_gatepost_base" ] || rm -f -- "$_gatepost_base".*
  case $_gatepost_verdict in
  pass) _gatepost_code=${_gatepost_result:-0} ;;
  interrupted) ;;
  *)
    _gatepost_explain
    [ "$_gatepost_code" != 0 ] || _gatepost_code=1
    ;;
  esac
  [ -z "$_gatepost_home" ] || _gatepost_record
  if [ -n "$_gatepost_signal" ]; then
    trap - "$_gatepost_signal"
    kill -s "$_gatepost_signal" "$$"
  fi
}

_gatepost_rest=@VERSION@ # the last line: all of the above was read
