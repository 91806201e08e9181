# The auxiliary file of a before-commit hook on Fossil: fossil's own description of the commit, byte for byte, or where
# its branch is wrong a copy with the true one.

# Sets GATEPOST_PARENT, before the first hook.
_gatepost_ask_parent() {
  while IFS=' ' read -r _gatepost_1 _gatepost_2; do
    if [ "$_gatepost_1" = artifact: ]; then GATEPOST_PARENT=$_gatepost_2; fi
  done <<ANSWER
$(_gatepost_fossil whatis current)
ANSWER
}

_gatepost_auxiliary() {
  [ -z "$GATEPOST_AUX" ] || return 0
  if [ "$_gatepost_branch" = "$_gatepost_said" ]; then
    GATEPOST_AUX=$_gatepost_described
    return
  fi
  _gatepost_file auxiliary || return
  _gatepost_describe <"$_gatepost_described" >"$_gatepost_file" ||
    _gatepost_break 'the auxiliary file was not written: no space is left' || return
  GATEPOST_AUX=$_gatepost_file
}

# Copies the description; the branch's line comes among the first, and the shell reads no further than a line.
_gatepost_describe() {
  while IFS= read -r _gatepost_line; do
    case $_gatepost_line in
    'branch '*)
      printf 'branch %s\n' "$_gatepost_branch" && cat
      return
      ;;
    esac
    printf '%s\n' "$_gatepost_line" || return
  done
}
