# What the gates of all kinds of repository begin with: the state, what a compiled file calls, and the end.

_gatepost_newline='
'
_gatepost_verdict=broken _gatepost_code=1 _gatepost_begun=0 _gatepost_why= _gatepost_lines= _gatepost_unrun=
_gatepost_stop= _gatepost_input= _gatepost_count=0 _gatepost_more= _gatepost_base= _gatepost_pid= _gatepost_branch=
_gatepost_signal= _gatepost_after= _gatepost_home= _gatepost_label= _gatepost_trace= _gatepost_skip= _gatepost_first= _gatepost_who=
_gatepost_name= _gatepost_whole= _gatepost_rest= _gatepost_version=@VERSION@ _gatepost_closed=0 _gatepost_ended= _gatepost_local=yes _gatepost_timed_out= _gatepost_program=
_gatepost_by= _gatepost_mail= _gatepost_date= _gatepost_gitdir= _gatepost_team=
_gatepost_fault='it could not be started' _gatepost_mend='gatepost doctor --fix' _gatepost_now=0 _gatepost_line= GATEPOST_REPOSITORY=
GATEPOST_AUX= GATEPOST_HOOK= GATEPOST_BATCH= GATEPOST_ATTEMPT=1 GATEPOST_USER=

# Reads the functions for what is not usual. Without all of them nothing passes.
_gatepost_load() {
  [ "$_gatepost_rest" != "$_gatepost_version" ] || return 0
  [ ! -r "$_gatepost_cold" ] || . "$_gatepost_cold"
  [ "$_gatepost_rest" != "$_gatepost_version" ] || return 0
  printf 'gatepost: %s is missing, not complete or of another version. Mend it: gatepost doctor --fix. Way round: --no-verify\n' \
    "$_gatepost_cold" >&2
  trap - 0
  exit 1
}

# Begins a hook: NUMBER, what it is called in messages, and its name. Fails when it is not to run.
_gatepost_begin() {
  _gatepost_begun=$((_gatepost_begun + 1))
  _gatepost_id=$1 _gatepost_label=$2 GATEPOST_HOOK=$3 _gatepost_start=$_gatepost_now _gatepost_timed_out=
  [ -z "$_gatepost_stop$_gatepost_skip$_gatepost_trace" ] || { _gatepost_load && _gatepost_is_wanted "$1" "$2" "$3"; }
}

# Ends a hook with its exit status, and decides: STATUS, and "advisory" where its refusal does not count.
_gatepost_end() {
  if [ "$1$_gatepost_trace$_gatepost_timed_out$_gatepost_ended" != 0 ]; then
    _gatepost_load
    _gatepost_judge "$@"
    return
  fi
  _gatepost_1= _gatepost_2= _gatepost_closed=$((_gatepost_closed + 1))
  { IFS='. ' read -r _gatepost_1 _gatepost_2 _gatepost_text </proc/uptime; } 2>/dev/null
  _gatepost_now=$((${_gatepost_1:-0} * 1000 + 1${_gatepost_2:-00}0 - 1000))
  _gatepost_lines="${_gatepost_lines}ran $_gatepost_id pass 0 $((_gatepost_now - _gatepost_start))$_gatepost_newline"
}

# The compiled file ends here, and says how many hooks it has. Each of them must have begun, and have been run or left out
# for a reason: if what was to decide that could not be done, the gate is broken.
_gatepost_done() {
  if [ "$_gatepost_begun:$_gatepost_closed" = "$1:$1" ]; then
    _gatepost_whole=yes
    [ -n "$_gatepost_stop" ] || _gatepost_verdict=pass _gatepost_code=0
  fi
}

# The end, however it is reached. What passed in a usual place is written down by this shell alone.
_gatepost_leave() {
  trap - 0
  trap 'exit 1' INT TERM HUP # one that comes while this is going on refuses
  case $_gatepost_verdict$_gatepost_base$_gatepost_trace$_gatepost_native:$GATEPOST_REPOSITORY$_gatepost_by$_gatepost_mail$_gatepost_date in
  *"$_gatepost_newline"*) ;;
  passpre-commit:* | passcommit-msg:* | passbefore-commit:*)
    _gatepost_text="gatepost 1
kind gate
hook $_gatepost_native
run $GATEPOST_RUN
clock $_gatepost_now
dir $GATEPOST_REPOSITORY
type $GATEPOST_TYPE
verdict pass
took $((_gatepost_now - _gatepost_began))${_gatepost_branch:+
branch $_gatepost_branch}${_gatepost_by:+
author_name $_gatepost_by}${_gatepost_mail:+
author_email $_gatepost_mail}${_gatepost_date:+
author_date $_gatepost_date}
${_gatepost_lines}end 0"
    if [ "${#_gatepost_text}" -lt 3000 ] && [ ! -e "$_gatepost_home/shared" ]; then
      umask 077
      { printf '\n%s\n' "$_gatepost_text" >>"${_gatepost_home:-/dev/null}/spool/gates"; } 2>/dev/null && exit 0
    fi
    ;;
  esac
  _gatepost_load
  _gatepost_conclude
  exit "$_gatepost_code"
}

_gatepost_arm() {
  trap _gatepost_leave 0
  trap '_gatepost_signal=INT; exit 1' INT
  trap '_gatepost_signal=TERM; exit 1' TERM
  trap '_gatepost_signal=HUP; exit 1' HUP
}
_gatepost_arm

_gatepost_1= _gatepost_2=
{ IFS='. ' read -r _gatepost_1 _gatepost_2 _gatepost_text </proc/uptime; } 2>/dev/null
_gatepost_now=$((${_gatepost_1:-0} * 1000 + 1${_gatepost_2:-00}0 - 1000))
{ IFS= read -r GATEPOST_RUN </proc/sys/kernel/random/uuid; } 2>/dev/null || { _gatepost_load && _gatepost_name_run; }
