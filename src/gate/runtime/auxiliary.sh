# Makes the auxiliary file, once for all hooks of the gate, and GATEPOST_AUX its name.
_gatepost_auxiliary() {
  [ -z "$GATEPOST_AUX" ] || return 0
  _gatepost_file auxiliary || return
  _gatepost_aux=$_gatepost_file
  _gatepost_write "$@" || _gatepost_break "the auxiliary file was not written: ${_gatepost_why:-no space is left}" || return
  GATEPOST_AUX=$_gatepost_aux
}
