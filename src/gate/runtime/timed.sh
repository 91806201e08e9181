# Runs a hook for at most $1 seconds, which are $2 milliseconds: TERM to its process group, KILL 5 s later, or as soon as
# the hook itself has ended. $3 is the shell line, the rest its arguments; stdin is descriptor 3, _gatepost_dir the folder
# of --dir. It runs in the background, so that a signal is heard while it does. Where there is no program timeout, a loop
# watches it, which ends the hook alone; it sleeps by the second, since what is killed leaves its last sleep behind.
_gatepost_timed() {
  _gatepost_limit=$1 _gatepost_most=$2 _gatepost_line=$3 _gatepost_watch= _gatepost_before=$!
  shift 3
  set -- /bin/sh -c "$_gatepost_line" sh "$@"
  ! command -v timeout >/dev/null 2>&1 || set -- timeout -k 5 "$_gatepost_limit" "$@"
  _gatepost_pid=starting
  (
    [ -z "$_gatepost_dir" ] || _gatepost_enter "$_gatepost_dir" || exit 126
    exec "$@"
  ) <&3 3<&- &
  _gatepost_pid=$!
  if [ "$1" != timeout ]; then
    (
      _gatepost_count=${_gatepost_limit%.*}
      while [ "$_gatepost_count" -gt 0 ]; do
        sleep 1 || exit
        _gatepost_count=$((_gatepost_count - 1))
      done
      case $_gatepost_limit in *.*) sleep "0.${_gatepost_limit#*.}" ;; esac
      kill "$_gatepost_pid" && sleep 5 && kill -KILL "$_gatepost_pid"
    ) >/dev/null 2>&1 3<&- &
    _gatepost_watch=$!
  fi
  { wait "$_gatepost_pid"; } 2>/dev/null # shells tell of what was killed
  _gatepost_status=$?
  _gatepost_end_watch
  case $_gatepost_status in
  124 | 137 | 143) # by its own exit, or by us? The clock may have lost 10 ms at both ends
    _gatepost_load
    _gatepost_since "$_gatepost_start"
    [ "$_gatepost_took" -lt "$((_gatepost_most - 20))" ] || _gatepost_timed_out=$_gatepost_limit
    [ -z "$_gatepost_timed_out" ] || kill -KILL "-$_gatepost_pid" 2>/dev/null # children that did not hear TERM
    ;;
  esac
  _gatepost_pid=
}

# KILL, because TERM would be lost on a shell that has just been forked and still has the traps of this one.
_gatepost_end_watch() {
  [ -n "$_gatepost_watch" ] || return 0
  kill -KILL "$_gatepost_watch"
  wait "$_gatepost_watch"
  _gatepost_watch=
} 2>/dev/null

# Ends what is running, and waits until it has ended. A trap may come before $! was kept.
_gatepost_end_timed() {
  case $_gatepost_pid in
  '') return ;;
  starting)
    [ "$!" != "$_gatepost_before" ] || return
    _gatepost_pid=$!
    ;;
  "$!") ;;
  *) _gatepost_watch=$! ;;
  esac
  _gatepost_end_watch
  kill "$_gatepost_pid"
  wait "$_gatepost_pid"
  kill -KILL "-$_gatepost_pid"
} 2>/dev/null
