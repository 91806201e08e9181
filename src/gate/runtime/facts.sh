# Writes the auxiliary file of a gate that is not of a commit: one fact a line. A newline in a value is followed by a
# space, so that no value can begin a line of its own.
_gatepost_facts() {
  _gatepost_entry=
  case $GATEPOST_TYPE in
  before-receive | before-ref)
    _gatepost_seen=
    while IFS= read -r _gatepost_text; do
      _gatepost_seen=yes
      [ -z "$_gatepost_text" ] || _gatepost_entry="${_gatepost_entry}update $_gatepost_text$_gatepost_newline"
    done <<INPUT
${_gatepost_input:-$_gatepost_first}
INPUT
    [ -n "$_gatepost_seen" ] || return
    _gatepost_number=0
    case ${GIT_PUSH_OPTION_COUNT:-0} in *[!0-9]* | ??????*) ;; *)
      while [ "$_gatepost_number" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
        eval "_gatepost_fact=\${GIT_PUSH_OPTION_$_gatepost_number-}"
        _gatepost_put option "$_gatepost_fact"
        _gatepost_number=$((_gatepost_number + 1))
      done
      ;;
    esac
    _gatepost_put user "$GATEPOST_USER"
    ;;
  *)
    for _gatepost_fact; do _gatepost_put argument "$_gatepost_fact"; done
    while IFS= read -r _gatepost_fact; do _gatepost_put input "$_gatepost_fact"; done <<INPUT
$_gatepost_input
INPUT
    ;;
  esac
  printf '%s' "$_gatepost_entry" >"$_gatepost_file"
}
