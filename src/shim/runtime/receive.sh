#!/bin/sh
# gatepost shim 1 @SUM@
#
# Tells Gatepost that something arrived in this repository: as post-receive it writes down which refs a push moved, as
# post-commit, post-merge, post-rewrite or post-checkout only that work was done here, and by whom; of a checkout of mere
# files nothing. One file under each of these names. By its second line the installer knows it; do not change that.
#
# Rules
#   1. It never makes a push or a commit fail, and is silent unless something is wrong: then one line on stderr. What
#      it could not write down, the backoffice finds by comparing the refs it knows with the refs that are there.
#   2. On the common path it starts no process: builtins only, hence no $(...), no date, no basename. A fork costs
#      about a millisecond, and a push would pay it each time. Forks are made for more than 25 refs (one cat, since
#      the shell reads byte by byte), in a durable home (cksum, sync), for a chained hook, and to start a backoffice.
#   3. Nothing in the environment or in a ref is ever run or expanded a second time, and none of it can forge a line.
#   4. A redirection that fails ends some shells. So each one that may fail stands on a { } of its own.
#   5. What a chained hook gets is what git gave: all that changes directory, umask or options then runs in ( ).
#
# Entry: a text file <home>/spool/NAME.entry, NAME of letters, digits, dots and dashes, created with noclobber. It ends
# with "-chained" where a hook that was there before runs at this push: one that takes its place has not missed it.
#     gatepost 1                     the format
#     kind push                      or work
#     hook post-receive              the name this file was called by
#     dir /srv/git/a.git             the repository: its git common dir, as a physical path
#     KEY VALUE                      namespace, gl_user, gl_repo, remote_user, address: each only if set
#     option TEXT                    one for each push option, in order
#     updates                        kind push only; after it OLD NEW REF lines, byte for byte as git wrote them
#     end N                          N updates; "end 25+" is 25 or more. Without this line the entry is not whole.
# A newline in a value is followed by one space; of a value with more than 1000 newlines the rest is left out.
# All of it is one printf, so that an entry normally appears whole; after 25 updates the rest is copied by cat.
# Where the home has a file named durable, entry and folder are synced to disk before this ends, and the last line is
# "end N sum CRC LENGTH", by cksum, of all bytes above: a power cut amid that may leave any part of the entry.
#
# Home: the folder gatepost in the git common dir, or a file of that name whose first line is "home: /absolute/path".
# It is private, and then entries are 0600; or a file named shared says that others push here, and then its owner
# must be able to read entries whatever the umask of the pusher is.
#
# If this process dies before the last line is written, the entry is incomplete and the drain sets it aside; if it
# dies before that, there is no entry. Both are found by comparing refs. The entry comes first and the look at
# daemon.pid second: a backoffice gives daemon.pid up first and looks at the spool last, so one of the two sees it.
# Where the last backoffice that a shim started could not work, <home>/automatic.failed says why, and whoever pushes next
# is told in one line; so they are where it never came up (then it did not take <home>/starting away). Nobody waits for it.
# <home>/starting, "TIME PID", keeps a burst of pushes from starting one each. It names the shim, then the backoffice;
# if that dies before it is up, the next push starts another. Two may still start at once: the lease sorts that out.
#
# Proven by test/shim/receive*.test.ts, in dash, bash and busybox.

gp_newline='
'
gp_hook=${0##*/}
gp_updates= gp_count=0 gp_more= gp_mark=

say() { printf 'gatepost: %s\n' "$1" >&2; }

# Reads the first 25 lines of stdin into gp_updates and counts them; gp_more is set if there may be further ones.
take_updates() {
  while IFS= read -r gp_line; do
    gp_updates=$gp_updates$gp_line$gp_newline
    gp_count=$((gp_count + 1))
    if [ "$gp_count" -eq 25 ]; then
      gp_more=+
      return
    fi
  done
}

# Reads a file that holds one path into gp_text; its last newline does not count, others do.
slurp() {
  gp_text=
  while IFS= read -r gp_line || [ -n "$gp_line" ]; do
    gp_text=$gp_text${gp_text:+$gp_newline}$gp_line
  done 2>/dev/null <"$1"
}

# Goes to a directory by its physical path, which is then in PWD.
enter() { cd -P -- "$1" 2>/dev/null; }

# Makes gp_text the line "KEY VALUE" of the entry.
fold() {
  case $2 in
  *"$gp_newline"*) ;;
  *)
    gp_text="$1 $2$gp_newline"
    return
    ;;
  esac
  # Cutting with ${...#...} takes time that grows with the square of the length in dash; a here-document does not.
  gp_text=
  gp_lines=0
  while IFS= read -r gp_line && [ "$gp_lines" -le 1000 ]; do
    gp_text="$gp_text${gp_text:+ }$gp_line$gp_newline"
    [ "$gp_lines" -gt 0 ] || gp_text="$1 $gp_text"
    gp_lines=$((gp_lines + 1))
  done <<VALUE
$2
VALUE
}

# Adds "KEY VALUE" to the entry unless the value is empty.
put() {
  [ -n "$2" ] || return 0
  fold "$1" "$2"
  gp_entry=$gp_entry$gp_text
}

# Adds the push options. git counts them; the loop also ends at the first that is not there. They are gathered by
# the hundred, because adding each of tens of thousands to a long text would take minutes.
put_options() {
  case ${GIT_PUSH_OPTION_COUNT:-0} in *[!0-9]* | ??????*) return ;; esac
  gp_options= gp_number=0
  while [ "$gp_number" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
    eval "gp_option=\${GIT_PUSH_OPTION_$gp_number-} gp_set=\${GIT_PUSH_OPTION_$gp_number+set}"
    [ -n "$gp_set" ] || break
    fold option "$gp_option"
    gp_options=$gp_options$gp_text
    gp_number=$((gp_number + 1))
    case $gp_number in *00) gp_entry=$gp_entry$gp_options gp_options= ;; esac
  done
  gp_entry=$gp_entry$gp_options
}

# Sets gp_now to whole seconds by a clock that only restarts with the machine.
look_at_clock() {
  gp_now=
  { IFS='. ' read -r gp_now gp_line </proc/uptime; } 2>/dev/null
  case $gp_now in '' | *[!0-9]*) gp_now=$(date +%s) ;; esac # no /proc
}

# Sets gp_file to the name of a file that does not exist yet.
name_entry() {
  gp_name=
  { IFS= read -r gp_name </proc/sys/kernel/random/uuid; } 2>/dev/null
  if [ -z "$gp_name" ]; then
    look_at_clock
    gp_name=$$-$gp_now
    while [ -e "$gp_home/spool/$gp_name$gp_mark.entry" ]; do gp_name=$gp_name-2; done
  fi
  gp_file=$gp_home/spool/$gp_name$gp_mark.entry
}

# Sets gp_home, and gp_dir to the git common dir; fails if this repository has no home. Changes directory.
find_home() {
  CDPATH=
  gp_dir=${GIT_COMMON_DIR:-${GIT_DIR:-.git}}
  if [ -f "$gp_dir" ]; then # linked work trees and submodules, where git has not set GIT_DIR
    slurp "$gp_dir"
    gp_dir=${gp_text#gitdir: }
  fi
  enter "$gp_dir" || return
  if [ -f commondir ]; then
    slurp commondir
    enter "$gp_text" || return
  fi
  gp_dir=$PWD
  gp_home=$PWD/gatepost
  [ ! -d gatepost ] || return 0
  [ -f gatepost ] || return
  gp_line=
  { IFS= read -r gp_line <gatepost; } 2>/dev/null
  gp_home=${gp_line#home: }
  case $gp_line in
  "home: /"*) ;;
  *)
    say 'the file "gatepost" in the git directory names no home, so hooks will not run; see: gatepost init'
    return 1
    ;;
  esac
}

# Writes the entry with its checksum, and puts it and its name on disk. The folder of a shared home may only be written
# to by others: then all of its file system.
write_durably() {
  {
    { printf '%s' "$gp_entry" && { [ -z "$gp_more" ] || cat; } && { gp_sum=$(cksum <"$gp_file") || gp_sum=; } &&
      printf '%s\n' "${gp_end%?}${gp_sum:+ sum $gp_sum}"; } >"$gp_file"
  } 2>/dev/null || return
  if [ -r "$gp_home/spool" ]; then set -- "$gp_file" "$gp_home/spool"; else set -- -f "$gp_file"; fi
  sync "$@" 2>/dev/null || say "the entry was written, but not synced to disk"
}

# Writes the entry; reads stdin only for a push.
write_entry() {
  gp_entry="gatepost 1${gp_newline}kind $gp_kind${gp_newline}hook $gp_hook$gp_newline"
  put dir "$gp_dir"
  put namespace "${GIT_NAMESPACE-}"
  put gl_user "${GL_USER-}"
  put gl_repo "${GL_REPO-}"
  put remote_user "${REMOTE_USER-}"
  gp_address=${REMOTE_ADDR:-${SSH_CONNECTION:-${SSH_CLIENT-}}}
  put address "${gp_address%% *}"
  put_options
  if [ "$gp_kind" = push ]; then
    take_updates # does nothing where they were taken for a chained hook, for stdin is at its end
    gp_entry="${gp_entry}updates$gp_newline$gp_updates"
  fi
  gp_end="end $gp_count$gp_more$gp_newline"
  umask 077
  [ ! -e "$gp_home/shared" ] || umask 022
  name_entry
  if [ -e "$gp_home/durable" ]; then
    write_durably
  elif [ -n "$gp_more" ]; then
    { { printf '%s' "$gp_entry" && cat && printf '%s' "$gp_end"; } >"$gp_file"; } 2>/dev/null
  else
    { printf '%s' "$gp_entry$gp_end" >"$gp_file"; } 2>/dev/null
  fi
}

# Is process gp_pid alive? A zombie is not. Makes gp_since its start time, or gp_start where that cannot be known.
is_process() {
  case $gp_pid in '' | *[!0-9]*) return 1 ;; esac
  gp_since=$gp_start
  [ -e /proc/self/stat ] || { kill -0 "$gp_pid" 2>/dev/null; return; }
  gp_line=
  { IFS= read -r gp_line <"/proc/$gp_pid/stat"; } 2>/dev/null || return
  # The program's name, in parentheses, may hold spaces and parentheses. The state, field 3, comes first after it.
  set -- ${gp_line##*") "}
  gp_since=${20-}
  [ "$1" != Z ]
}

# Is a backoffice alive? By process id and start time, since ids are used again.
is_alive() {
  gp_pid=
  { IFS=' ' read -r gp_pid gp_start gp_line <"$gp_home/daemon.pid"; } 2>/dev/null
  is_process && [ "$gp_since" = "$gp_start" ]
}

# Is a backoffice starting, since 30 seconds at most? If not, says that this process starts one. A time to come is from
# another boot; an id used again misleads for 30 seconds. Line 1 counts: <> empties nothing.
is_starting() {
  look_at_clock
  gp_last= gp_pid=
  { IFS=' ' read -r gp_last gp_pid gp_line <"$gp_home/starting"; } 2>/dev/null
  case $gp_last in
  '' | *[!0-9]* | ????????????????*) ;;
  *)
    [ "$gp_last" -gt "$gp_now" ] || [ "$gp_last" -lt "$((gp_now - 30))" ] || ! is_process || return 0
    ;;
  esac
  ! { printf '%s\n' "$gp_now $$" 1<>"$gp_home/starting"; } 2>/dev/null
}

# Says in one line that the last backoffice could not work, or never came up.
tell_failure() {
  gp_line= gp_last=
  if [ -s "$gp_home/automatic.failed" ]; then
    { IFS= read -r gp_line <"$gp_home/automatic.failed"; } 2>/dev/null
    case $gp_line in '' | *[[:cntrl:]]*) gp_line="see $gp_home/automatic.failed" ;; esac
    say "this push is safe, but the last backoffice could not work: $gp_line"
  elif [ -e "$gp_home/starting" ]; then
    gp_pid=
    { IFS=' ' read -r gp_last gp_pid gp_line <"$gp_home/starting"; } 2>/dev/null
    case $gp_pid in '' | *[!0-9]*) return ;; esac
    is_process || say "this push is safe, but the last backoffice did not start; try: gatepost status --home $gp_home"
  fi
}

# Sets gp_umask to the umask this process was given, which git has: that of the entry is not for hooks. While git lives.
take_umask() {
  gp_umask=022
  while read -r gp_line gp_text; do
    if [ "$gp_line" = Umask: ]; then
      gp_umask=$gp_text
      return
    fi
  done 2>/dev/null <"/proc/$PPID/status"
}

# Becomes the backoffice, in a session of its own, with nothing of this push: no descriptor that would hold it open
# (git passes 0 to 2; no sh can close those above 9), no variable of git, and none that says who pushed, since it will
# serve others' pushes as well.
become_backoffice() {
  cd / || exit
  gp_line=$(export -p)
  IFS=$gp_newline
  for gp_line in $gp_line; do
    gp_line=${gp_line#export }     # dash, busybox, and bash when called sh
    gp_line=${gp_line#declare -x } # bash
    gp_line=${gp_line%%=*}
    case $gp_line in
    *[!A-Za-z0-9_]*) ;; # part of a value
    GIT_* | GL_* | REMOTE_* | SSH_* | GATEPOST_*) unset "$gp_line" ;;
    esac
  done
  umask "$gp_umask"
  exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
  set -- "$gp_home/bin/gatepost" backoffice --automatic --home "$gp_home"
  if command -v setsid; then set -- setsid "$@"; fi
  exec "$@"
}

# Starts a backoffice where none is alive. Only the owner of the home may: what it runs, it runs as that user.
wake() {
  if [ -e "$gp_home/manual" ] || is_alive; then return; fi
  tell_failure
  if [ ! -O "$gp_home" ]; then return; fi
  if [ ! -x "$gp_home/bin/gatepost" ]; then
    say "no backoffice could be started: bin/gatepost is missing from the home; see: gatepost init"
  elif ! is_starting; then
    take_umask
    { become_backoffice & } </dev/null >/dev/null 2>&1
    # Its id stays, through setsid too. One that is up has taken the file away already, and no other is to find it.
    [ ! -e "$gp_home/starting" ] || { printf '%s\n' "$gp_now $!" 1<>"$gp_home/starting"; } 2>/dev/null
  fi
}

record() {
  [ -n "$gp_kind" ] || return 0
  [ "$gp_kind" = push ] || [ ! -e "$gp_hooks/gatepost/quiet" ] || return 0 # nobody is to hear of work here
  set -f -C
  find_home || return
  write_entry || say "no entry could be written to the spool; nothing is lost, the backoffice will find the change"
  wake
}

case $gp_hook:${3-} in
post-receive:*) gp_kind=push ;;
post-checkout:0) gp_kind= ;; # of files
*) gp_kind=work ;;
esac
gp_hooks=.
case $0 in */*) gp_hooks=${0%/*} ;; esac
gp_chained=$gp_hooks/gatepost/after/$gp_hook # the gate's shim, which runs the chained hook itself
if [ ! -f "$gp_chained" ]; then
  gp_chained=$gp_hooks/gatepost/chained/$gp_hook
  [ ! -e "$gp_hooks/gatepost/moved/$gp_hook" ] || gp_chained= # the database has it
fi

if [ ! -f "$gp_chained" ] || [ ! -x "$gp_chained" ]; then
  trap 'exit 0' 0 # also if the shell gives up, as dash does for want of memory
  record
  exit 0
fi
if [ "$gp_kind" != push ]; then
  (record) </dev/null
  exec "$gp_chained" "$@"
fi
gp_mark=-chained
take_updates
if [ -n "$gp_more" ]; then
  gp_rest=$(cat)
  gp_updates=$gp_updates${gp_rest:+$gp_rest$gp_newline}
fi
(record)
printf '%s' "$gp_updates" 2>/dev/null | "$gp_chained" "$@"
exit
