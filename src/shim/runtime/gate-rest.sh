# The part of the gate's runtime that few commits need; the shim (gate.sh in the sources) reads it when they do. In a
# hooks folder it stands as gatepost/gate.sh, beside the shims of all gates. Rules and names are those of the shim.

_gatepost_say() {
  printf 'gatepost: %s\n' "$1" >&2
}

# Sets _gatepost_now to milliseconds, by a clock that never goes back and has 10 ms; when tracing, by a better one.
_gatepost_clock() {
  _gatepost_now=0
  if [ -n "$_gatepost_trace" ]; then
    _gatepost_now=$(date +%s%3N 2>/dev/null)
    case $_gatepost_now in *[!0-9]* | '') _gatepost_now=0 ;; esac
    return
  fi
  _gatepost_1= _gatepost_2=
  { IFS='. ' read -r _gatepost_1 _gatepost_2 _gatepost_line </proc/uptime; } 2>/dev/null
  _gatepost_now=$((${_gatepost_1:-0} * 1000 + 1${_gatepost_2:-00}0 - 1000))
}

# Sets _gatepost_took to the milliseconds since the clock showed $1.
_gatepost_since() {
  _gatepost_clock
  _gatepost_took=$((${_gatepost_ended:-$_gatepost_now} - $1))
}

# Reads the first line of a file into _gatepost_line.
_gatepost_read() {
  _gatepost_line=
  { IFS= read -r _gatepost_line <"$1"; } 2>/dev/null
}

# The name of this run where the kernel gives none.
_gatepost_name_run() {
  GATEPOST_RUN=$$-$(date +%s)
}

# The hooks that are not of a commit: which type asks this gate, and what git hands over on stdin.
_gatepost_begin_other() {
  case $_gatepost_native in
  pre-push) GATEPOST_TYPE=before-push ;;
  pre-receive) GATEPOST_TYPE=before-receive _gatepost_local= ;;
  update)
    GATEPOST_TYPE=before-ref _gatepost_local= _gatepost_first="$2 $3 $1" _gatepost_count=1
    _gatepost_input=$_gatepost_first # git gives this hook no lines: for --stdin updates
    ;;
  post-commit) GATEPOST_TYPE=after-commit _gatepost_after=yes ;;
  post-update) GATEPOST_TYPE=git:post-update _gatepost_local= _gatepost_after=yes ;;
  push-to-checkout) GATEPOST_TYPE=git:push-to-checkout _gatepost_local= ;;
  post-*) GATEPOST_TYPE=git:$_gatepost_native _gatepost_after=yes ;;
  *) GATEPOST_TYPE=git:$_gatepost_native ;;
  esac
  if [ "$_gatepost_native:${GIT_DIR-}" = reference-transaction:. ]; then _gatepost_local=; fi # of a push
  case $_gatepost_native in
  pre-receive | pre-push | post-rewrite | reference-transaction) _gatepost_take ;;
  esac
  if [ -z "$_gatepost_local" ]; then GATEPOST_USER=; fi
}

# GATEPOST_TRACE and GATEPOST_SKIP count where the caller is the one who commits.
_gatepost_ask_caller() {
  [ -n "$_gatepost_local" ] || return 0
  _gatepost_trace=${GATEPOST_TRACE-} _gatepost_skip=${GATEPOST_SKIP:+,$GATEPOST_SKIP,}
  while :; do # "a, b" means "a,b"
    case $_gatepost_skip in *' '*) _gatepost_skip=${_gatepost_skip%%' '*}${_gatepost_skip#*' '} ;; *) break ;; esac
  done
  _gatepost_clock
}

# Keeps what git hands over on stdin, since several may want to read it: 25 lines by the shell, the rest by one cat. What
# breaks off in a line, or names no refs where there must be some, would look as if there were less to check.
_gatepost_take() {
  while IFS= read -r _gatepost_line; do
    case $_gatepost_native:$_gatepost_line in
    pre-receive:*[0-9a-f]' '*[0-9a-f]' '?*) ;;
    pre-receive:*) _gatepost_misunderstand ;;
    esac
    [ "${#_gatepost_line}" -lt 20000 ] || _gatepost_misunderstand # two names as long as a path can be, and two hashes, are half of that
    _gatepost_input=$_gatepost_input${_gatepost_input:+$_gatepost_newline}$_gatepost_line
    _gatepost_count=$((_gatepost_count + 1))
    [ "$_gatepost_count" -lt 25 ] || break
  done
  _gatepost_first=$_gatepost_input
  if [ "$_gatepost_count" -lt 25 ]; then
    [ -z "$_gatepost_line" ] || _gatepost_misunderstand
    [ "$_gatepost_native$_gatepost_count" != pre-receive0 ] || _gatepost_misunderstand
    return
  fi
  _gatepost_more=+
  unset -f command cat
  _gatepost_fault='what git handed over could not be read to its end'
  _gatepost_line=$(command -p cat && echo .) || exit 1
  case $_gatepost_line in
  . | *"$_gatepost_newline".) ;;
  *) _gatepost_misunderstand ;;
  esac
  _gatepost_line=${_gatepost_line%.}
  _gatepost_line=${_gatepost_line%"$_gatepost_newline"}
  _gatepost_input=$_gatepost_input${_gatepost_line:+$_gatepost_newline$_gatepost_line}
}

_gatepost_misunderstand() {
  _gatepost_fault='what git handed over could not be understood' _gatepost_mend=
  exit 1
}

# Sets _gatepost_branch where HEAD does not name it in the usual way: HEAD may be a symbolic link (old repositories), the
# refs may be in a table, or a branch may be in the course of being rebased.
_gatepost_look_for_branch() {
  case $_gatepost_line in
  "ref: "*)
    _gatepost_branch=$(git symbolic-ref -q HEAD)
    return
    ;;
  esac
  if [ -L "$_gatepost_gitdir/HEAD" ]; then
    _gatepost_branch=$(git symbolic-ref -q HEAD) && return
  fi
  for _gatepost_text in rebase-merge rebase-apply; do
    ! _gatepost_read "$_gatepost_gitdir/$_gatepost_text/head-name" || break
  done
  case $_gatepost_line in refs/*) _gatepost_branch=$_gatepost_line ;; esac
}

# Finds the work tree's own git directory, the repository, and its home. Leaves the directory as it was.
_gatepost_find() {
  _gatepost_gitdir=${GIT_DIR:-.git}
  if [ -f "$_gatepost_gitdir" ]; then # linked work trees and submodules, where git has not set GIT_DIR
    _gatepost_read "$_gatepost_gitdir"
    _gatepost_gitdir=${_gatepost_line#gitdir: }
  fi
  case $_gatepost_gitdir in /*) ;; *) _gatepost_gitdir=./$_gatepost_gitdir ;; esac # past CDPATH
  _gatepost_common=${GIT_COMMON_DIR:-$_gatepost_gitdir}
  if [ -z "${GIT_COMMON_DIR-}" ] && [ -f "$_gatepost_gitdir/commondir" ]; then
    _gatepost_read "$_gatepost_gitdir/commondir"
    _gatepost_common=$_gatepost_line
    case $_gatepost_common in /*) ;; *) _gatepost_common=$_gatepost_gitdir/$_gatepost_common ;; esac
  fi
  case $_gatepost_common in /*) ;; *) _gatepost_common=./$_gatepost_common ;; esac
  _gatepost_pwd=$PWD _gatepost_old=${OLDPWD-} _gatepost_had=${OLDPWD+yes}
  cd -P -- "$_gatepost_common" 2>/dev/null || return
  GATEPOST_REPOSITORY=$PWD
  cd -- "$_gatepost_pwd" 2>/dev/null || return
  if [ -n "$_gatepost_had" ]; then OLDPWD=$_gatepost_old; else unset OLDPWD; fi
  _gatepost_place=$GATEPOST_REPOSITORY/gatepost
  if [ -d "$_gatepost_place" ]; then
    _gatepost_home=$_gatepost_place _gatepost_gates=$_gatepost_place/gates/
    return
  fi
  [ -f "$_gatepost_place" ] || return
  { IFS= read -r _gatepost_home && IFS= read -r _gatepost_gates; } 2>/dev/null <"$_gatepost_place" ||
    return # a number that was cut off is another repository's
  case $_gatepost_home in "home: /"*) _gatepost_home=${_gatepost_home#home: } ;; *) _gatepost_home= ;; esac
  case ${_gatepost_gates#gates: } in
  '' | *[!0-9]*) _gatepost_home= ;;
  *) _gatepost_gates=$_gatepost_home/gates/${_gatepost_gates#gates: }. ;;
  esac
  [ -n "$_gatepost_home" ]
}

# Finds the home, or decides what it means that there is none.
_gatepost_find_elsewhere() {
  if _gatepost_find; then
    [ -n "$_gatepost_local" ] || [ ! -O "$_gatepost_home" ] || GATEPOST_USER=${GL_USER:-${REMOTE_USER-}}
    return
  fi
  _gatepost_home= _gatepost_mend='gatepost init'
  _gatepost_fault="its home is missing (${GATEPOST_REPOSITORY:-.git}/gatepost)"
  # A hooks folder of many, and this repository is not registered? One that is has something in that place.
  if [ -e "$_gatepost_hooks/gatepost/common" ] && [ ! -e "${_gatepost_place:-.}" ]; then
    _gatepost_whole=yes _gatepost_verdict=pass _gatepost_code=0
  fi
}

# Has Node compile this work tree's gatepost.json, which is not the one that was compiled; the first line it prints says
# what changed, or why it cannot be, and the second then what mends it. Nothing passes by a file that is not understood;
# what cannot refuse any more says so, and goes on without the team's hooks.
_gatepost_follow() {
  ! { [ -n "$_gatepost_plain" ] && cmp -s gatepost.json "${_gatepost_team}gatepost.json"; } 2>/dev/null || return 0 # where the system's path has no cmp
  _gatepost_text=$("$_gatepost_home/bin/gatepost" follow-team "$_gatepost_home" "$GATEPOST_REPOSITORY" \
    "$_gatepost_gitdir" </dev/null)
  _gatepost_1=$?
  if [ "$_gatepost_1" = 0 ]; then
    [ -z "$_gatepost_text" ] || _gatepost_say "$_gatepost_text"
    _gatepost_clock # the first hook did not take this long
    return 0
  fi
  _gatepost_fault="gatepost.json is not the one that was compiled, and $_gatepost_home/bin/gatepost cannot compile it (exit $_gatepost_1)"
  _gatepost_mend='gatepost init'
  case $_gatepost_text in
  *"$_gatepost_newline"*) _gatepost_fault=${_gatepost_text%%"$_gatepost_newline"*} _gatepost_mend=${_gatepost_text#*"$_gatepost_newline"} ;;
  esac
  [ -n "$_gatepost_after" ] || exit 1
  _gatepost_say "$_gatepost_fault. Until that is mended no hook of it runs, and commits are refused. Mend it: $_gatepost_mend"
  _gatepost_team=none
}

# Makes descriptor 3 what the next hook reads on stdin.
_gatepost_feed() {
  if [ -z "$_gatepost_input" ]; then
    exec 3</dev/null
    return
  fi
  exec 3<<INPUT
$_gatepost_input
INPUT
}

# Runs the hook that was there before us, with what git gave.
_gatepost_chain() {
  [ -f "$_gatepost_hooks/gatepost/chained/$_gatepost_native" ] || return 0
  _gatepost_id=0 _gatepost_label="the $_gatepost_native hook that was there before" _gatepost_start=$_gatepost_now
  case $_gatepost_native in
  pre-receive | pre-push | post-rewrite | reference-transaction)
    _gatepost_feed
    "$_gatepost_hooks/gatepost/chained/$_gatepost_native" "$@" <&3 3<&-
    _gatepost_text=$?
    exec 3<&-
    ;;
  *)
    "$_gatepost_hooks/gatepost/chained/$_gatepost_native" "$@"
    _gatepost_text=$?
    ;;
  esac
  _gatepost_judge "$_gatepost_text"
  _gatepost_closed=0 # it is none of those that the compiled file counts
}

# Shows a command before it starts; values stand where the command has places for them.
_gatepost_show() {
  case $* in
  *[[:cntrl:]]*) _gatepost_say "$GATEPOST_TYPE $_gatepost_label: $(printf '%s' "$@" | tr '\n' ';' | tr -d '[:cntrl:]')" ;;
  *)
    printf 'gatepost: %s %s: ' "$GATEPOST_TYPE" "$_gatepost_label" >&2
    printf '%s' "$@" >&2
    printf '\n' >&2
    ;;
  esac
}

# Is the hook that begins to run, or left out?
_gatepost_is_wanted() {
  if [ -n "$_gatepost_stop" ]; then
    _gatepost_closed=$((_gatepost_closed + 1))
    _gatepost_lines=${_gatepost_lines}unrun\ $1$_gatepost_newline
    _gatepost_unrun=$_gatepost_unrun${_gatepost_unrun:+, }$2
    return 1
  fi
  case $_gatepost_skip in
  *",$1,"* | *",$3,"*)
    _gatepost_leave_out asked 'left out, GATEPOST_SKIP names it'
    return 1
    ;;
  esac
  _gatepost_clock
  _gatepost_start=$_gatepost_now
}

# Leaves the hook that has begun out: WHY for the record, and in words for a trace.
_gatepost_leave_out() {
  _gatepost_closed=$((_gatepost_closed + 1))
  _gatepost_lines=${_gatepost_lines}skipped\ $_gatepost_id\ $1$_gatepost_newline
  [ -z "$_gatepost_trace" ] || _gatepost_say "$GATEPOST_TYPE $_gatepost_label: $2"
}

# Breaks the gate before a hook could run: the reason, in words. Fails, so that what follows is not done.
_gatepost_break() {
  _gatepost_stop=yes _gatepost_verdict=broken _gatepost_why=$1 _gatepost_code=1
  _gatepost_who=$_gatepost_label _gatepost_name=$GATEPOST_HOOK _gatepost_closed=$((_gatepost_closed + 1))
  _gatepost_lines=${_gatepost_lines}ran\ $_gatepost_id\ broken\ 1\ 0$_gatepost_newline
  return 1
}
