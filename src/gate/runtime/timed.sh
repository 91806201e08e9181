# Runs a hook for at most $1 seconds, which are $2 milliseconds: TERM to its process group, KILL 5 s later, or as soon as
# the hook itself has ended. $3 is the shell line, the rest its arguments; stdin is descriptor 3, _gatepost_dir the folder
# of --dir. It runs in the background, so that a signal is heard while it does.
_gatepost_timed() {
  _gatepost_limit=$1 _gatepost_most=$2 _gatepost_command=$3
  shift 3
  if command -v timeout >/dev/null 2>&1; then
    (
      [ -z "$_gatepost_dir" ] || _gatepost_enter "$_gatepost_dir" || exit 126
      exec timeout -k 5 "$_gatepost_limit" /bin/sh -c "$_gatepost_command" sh "$@"
    ) <&3 3<&- &
    _gatepost_pid=$!
    wait "$_gatepost_pid"
    _gatepost_status=$?
  else
    (
      [ -z "$_gatepost_dir" ] || _gatepost_enter "$_gatepost_dir" || exit 126
      exec /bin/sh -c "$_gatepost_command" sh "$@"
    ) <&3 3<&- &
    _gatepost_pid=$!
    (
      sleep "$_gatepost_limit"
      kill "$_gatepost_pid" && sleep 5 && kill -9 "$_gatepost_pid"
    ) >/dev/null 2>&1 3<&- &
    _gatepost_line=$!
    wait "$_gatepost_pid"
    _gatepost_status=$?
    kill "$_gatepost_line" 2>/dev/null
  fi
  case $_gatepost_status in
  124 | 137 | 143) # by its own exit, or by us? The clock may have lost 10 ms at both ends
    _gatepost_since "$_gatepost_start"
    [ "$_gatepost_took" -lt "$((_gatepost_most - 20))" ] || _gatepost_timed_out=$_gatepost_limit
    [ -z "$_gatepost_timed_out" ] || kill -KILL "-$_gatepost_pid" 2>/dev/null # children that did not hear TERM
    ;;
  esac
  _gatepost_pid=
}

# Ends what is running, and waits until it has ended.
_gatepost_end_timed() {
  [ -n "$_gatepost_pid" ] || return 0
  kill "$_gatepost_pid"
  wait "$_gatepost_pid"
  kill -KILL "-$_gatepost_pid"
} 2>/dev/null
