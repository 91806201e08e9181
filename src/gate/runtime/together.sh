# Hooks side by side. They are members of one pipeline, with everything redirected: so all of them run at once in the
# foreground, and Ctrl-C reaches each, as it does not reach what is put into the background.

# Makes the files of member $1, and keeps in _gatepost_reads the file that it will read.
_gatepost_place() {
  _gatepost_reads=$_gatepost_file
  _gatepost_file "out-$1" && _gatepost_file "end-$1"
}

# Ends member $1: writes down its exit status, when it ended, and whether by its --timeout.
_gatepost_note() {
  _gatepost_clock
  printf '%s %s %s\n' "$2" "$_gatepost_now" "$_gatepost_timed_out" >"$_gatepost_base.end-$1"
}

# Shows what member $1 wrote and sets _gatepost_status; one that left no status was killed. The rest says which hook.
_gatepost_gather() {
  _gatepost_id=$2 _gatepost_label=$3 GATEPOST_HOOK=$4
  cat -- "$_gatepost_base.out-$1" >&2
  _gatepost_status= _gatepost_ended= _gatepost_timed_out=
  { read -r _gatepost_status _gatepost_ended _gatepost_timed_out <"$_gatepost_base.end-$1"; } 2>/dev/null
  _gatepost_status=${_gatepost_status:-137}
}
