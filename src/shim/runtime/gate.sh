#!/bin/sh
# gatepost shim 1 gate @SUM@
trap 'exit 1' 0 # until there is more to say
#
# Asks the gate: runs the hooks that Gatepost compiled for this point of a commit or push, and refuses when one of them
# does. The same file stands under the name of each native hook that has such hooks. The second line is how the
# installer knows its own file; do not change it.
#
# Rules
#   1. It fails closed. The verdict starts as broken; only the last line of the compiled file, which names how many
#      hooks there are, makes it pass. Whatever cannot be found, read or run refuses, says why, and names the way round.
#   2. It starts no process but the hooks, and what their options ask for: a fork costs as much as all of this file.
#      Node is never started, and the database never read.
#   3. A hook gets what git gave: directory, umask, IFS, shell options, descriptors 0 to 2, arguments. All that would
#      change them is done after the last hook, or undone at once. Hooks run in a subshell each, written `( … )` and
#      never in a condition, because there `set -e` in a hook would do nothing; nor does `.` below stand in one.
#   4. Nothing in the environment, in a ref or in a path is run or expanded a second time. Server gates take nothing of
#      ours from the environment: a pusher chooses it.
#   5. What cannot be written down does not change the verdict: one line of warning.
#
# Compiled file: <home>/gates/TYPE, written by src/gate/compile.ts; <home>/gates/12.TYPE where the home stands elsewhere
# and the second line of the pointer file says "gates: 12". For each hook it calls
# _gatepost_begin, runs the subshell, and calls _gatepost_end; its last line calls _gatepost_done.
#
# Record: added to <home>/spool/gates by one write, behind an empty line so that one that was cut off spoils no other; in
# a home that others share, and for a long one, a file of its own. Format in src/spool/gate-entry.ts. Appending costs a
# hundredth of making a file. Times have 10 ms: that is what the kernel tells without a process.
#
# If this process dies, git refuses; a temporary file may stay in <home>/aux, where the backoffice removes it.
# What a commit needs whose hooks all pass is in this file, flat, since the shell reads it each time and keeps what stands
# in functions; all else is in gatepost/gate.sh beside it, read when it is needed. Proven by test/shim/gate*.test.ts and
# test/e2e/gate-*.test.ts, in dash, bash and busybox.

_gatepost_newline='
'
_gatepost_verdict=broken _gatepost_code=1 _gatepost_begun=0 _gatepost_why= _gatepost_lines= _gatepost_unrun=
_gatepost_stop= _gatepost_input= _gatepost_count=0 _gatepost_more= _gatepost_base= _gatepost_pid= _gatepost_branch=
_gatepost_signal= _gatepost_after= _gatepost_home= _gatepost_label= _gatepost_trace= _gatepost_skip= _gatepost_first= _gatepost_who=
_gatepost_name= _gatepost_whole= _gatepost_rest= _gatepost_version=@VERSION@ _gatepost_closed=0 _gatepost_ended= _gatepost_local=yes _gatepost_timed_out=
_gatepost_fault='it could not be started' _gatepost_mend='gatepost doctor --fix' _gatepost_now=0 _gatepost_line= GATEPOST_REPOSITORY=
GATEPOST_AUX= GATEPOST_HOOK= GATEPOST_BATCH= GATEPOST_KIND=git GATEPOST_ATTEMPT=1

# Reads the functions for what is not usual. Without all of them nothing passes.
_gatepost_load() {
  [ "$_gatepost_rest" != "$_gatepost_version" ] || return 0
  [ ! -r "$_gatepost_hooks/gatepost/gate.sh" ] || . "$_gatepost_hooks/gatepost/gate.sh"
  [ "$_gatepost_rest" != "$_gatepost_version" ] || return 0
  printf 'gatepost: %s is missing, not complete or of another version. Mend it: gatepost doctor --fix. Way round: --no-verify\n' \
    "$_gatepost_hooks/gatepost/gate.sh" >&2
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
  case $_gatepost_verdict$_gatepost_base$_gatepost_trace$_gatepost_native:$GATEPOST_REPOSITORY${GIT_AUTHOR_NAME-}${GIT_AUTHOR_EMAIL-}${GIT_AUTHOR_DATE-} in
  *"$_gatepost_newline"*) ;;
  passpre-commit:* | passcommit-msg:*)
    _gatepost_text="gatepost 1
kind gate
hook $_gatepost_native
run $GATEPOST_RUN
clock $_gatepost_now
dir $GATEPOST_REPOSITORY
type $GATEPOST_TYPE
verdict pass
took $((_gatepost_now - _gatepost_began))${_gatepost_branch:+
branch $_gatepost_branch}${GIT_AUTHOR_NAME:+
author_name $GIT_AUTHOR_NAME}${GIT_AUTHOR_EMAIL:+
author_email $GIT_AUTHOR_EMAIL}${GIT_AUTHOR_DATE:+
author_date $GIT_AUTHOR_DATE}
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

_gatepost_native=${0##*/}
case $_gatepost_native in # what bash would take from a pusher's environment
pre-receive | update | post-update | push-to-checkout) unset -f [ cd printf read umask unalias ;;
esac
case $0 in
*/gatepost/after/*) _gatepost_hooks=${0%/gatepost/after/*} ;;
gatepost/after/*) _gatepost_hooks=. ;;
*/*) _gatepost_hooks=${0%/*} ;;
*) _gatepost_hooks=. ;;
esac
case $_gatepost_hooks in /*) ;; *) _gatepost_hooks=./$_gatepost_hooks ;; esac
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
if [ -x "$_gatepost_hooks/gatepost/chained/$_gatepost_native" ]; then _gatepost_load && _gatepost_chain "$@"; fi
[ -n "$_gatepost_home" ] || exit

if [ -n "$_gatepost_local" ]; then
  _gatepost_text=${XDG_CONFIG_HOME:-${HOME-}/.config}/gatepost/env.sh
  if [ -r "$_gatepost_text" ]; then
    _gatepost_fault="$_gatepost_text ended the shell"
    _gatepost_mend='that file'
    . "$_gatepost_text"
    unalias -a
    _gatepost_arm # it may have set traps
    _gatepost_mend='gatepost doctor --fix'
  fi
  [ ! -d node_modules/.bin ] || PATH=$PWD/node_modules/.bin:$PATH
  GATEPOST_USER=${GIT_AUTHOR_NAME-}
  _gatepost_line=
  { IFS= read -r _gatepost_line <"$_gatepost_gitdir/HEAD"; } 2>/dev/null
  case $_gatepost_line in
  "ref: refs/heads/.invalid") _gatepost_load && _gatepost_look_for_branch ;;
  "ref: "*) _gatepost_branch=${_gatepost_line#ref: } ;;
  *) _gatepost_load && _gatepost_look_for_branch ;;
  esac
fi
GATEPOST_PROGRAM=$_gatepost_home/bin/gatepost
export GATEPOST_PROGRAM GATEPOST_REPOSITORY GATEPOST_AUX GATEPOST_HOOK GATEPOST_TYPE GATEPOST_KIND GATEPOST_USER \
  GATEPOST_RUN GATEPOST_ATTEMPT GATEPOST_BATCH
_gatepost_fault="its compiled file is missing, or may not be read by this user ($_gatepost_gates$GATEPOST_TYPE)"
[ -r "$_gatepost_gates$GATEPOST_TYPE" ] || exit
_gatepost_fault="its compiled file is not complete ($_gatepost_gates$GATEPOST_TYPE)"
. "$_gatepost_gates$GATEPOST_TYPE"
exit
