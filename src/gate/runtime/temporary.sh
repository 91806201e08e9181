# Sets _gatepost_base to a path below which this gate may make files, NAME.SUFFIX; they are removed when it ends. The
# home comes first; where it cannot be written (read-only, full, another user's), any other place will do.
_gatepost_room() {
  [ -z "$_gatepost_base" ] || return 0
  for _gatepost_text in "$_gatepost_home/aux" "${TMPDIR:-/tmp}" /tmp /dev/shm; do
    _gatepost_base=$_gatepost_text/gatepost-$GATEPOST_RUN # first: a signal finds what is to be removed
    (
      umask 077
      set -C
      printf '%4096s' >"$_gatepost_base.room" && : >|"$_gatepost_base.room"
    ) 2>/dev/null && return 0
    rm -f -- "$_gatepost_base.room" 2>/dev/null # another user may not even look there
  done
  _gatepost_base=
  _gatepost_break 'no temporary file can be written: not in the home, TMPDIR, /tmp or /dev/shm'
}

# Makes the empty file _gatepost_file, for this user alone.
_gatepost_file() {
  _gatepost_room || return
  _gatepost_file=$_gatepost_base.$1
  (umask 077 && set -C && : >"$_gatepost_file") 2>/dev/null || _gatepost_break "$_gatepost_file cannot be written"
}
