# What all gates end with: what is run first, what hooks find in the environment, the compiled file, and that of the
# work tree's gatepost.json (src/home/team.ts).

if [ -n "$_gatepost_local" ]; then
  # Somebody agreed to the team file? Then this work tree's own is obeyed, as it is now: compiled anew where it differs.
  # Whatever else than a folder stands there, no consent was taken back.
  _gatepost_text=$GATEPOST_REPOSITORY/gatepost-team
  if [ -n "$_gatepost_gitdir" ] && { [ -e "$_gatepost_text" ] || [ -L "$_gatepost_text" ]; }; then
    _gatepost_team=none
    if [ -e gatepost.json ] || [ -L gatepost.json ]; then
      _gatepost_team=$_gatepost_gitdir/gatepost-team/now/
      # A small file is compared by this shell, any other by cmp, which takes a process: by the system's path, since the
      # caller's may be long, or have none. A pipe would hold either, as may what a link leads to: Node refuses both.
      _gatepost_line= _gatepost_text= _gatepost_same= _gatepost_plain=
      [ ! -f gatepost.json ] || [ -L gatepost.json ] || _gatepost_plain=yes
      if [ -n "$_gatepost_plain" ] && [ -r gatepost.json ] && [ -r "${_gatepost_team}same" ]; then
        . "${_gatepost_team}same"
        while IFS= read -r _gatepost_line && [ "${#_gatepost_text}" -lt 2000 ]; do
          _gatepost_text=$_gatepost_text$_gatepost_line$_gatepost_newline
        done <gatepost.json
      fi
      { [ -n "$_gatepost_same" ] && [ "$_gatepost_text$_gatepost_line" = "$_gatepost_same" ]; } ||
        { [ -n "$_gatepost_plain" ] && command -p cmp -s gatepost.json "${_gatepost_team}gatepost.json"; } 2>/dev/null ||
        { _gatepost_load && _gatepost_follow; }
    fi
  fi
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
fi
GATEPOST_PROGRAM=${_gatepost_program:-$_gatepost_home/bin/gatepost}
export GATEPOST_PROGRAM GATEPOST_REPOSITORY GATEPOST_AUX GATEPOST_HOOK GATEPOST_TYPE GATEPOST_KIND GATEPOST_USER \
  GATEPOST_RUN GATEPOST_ATTEMPT GATEPOST_BATCH
_gatepost_fault="its compiled file is missing, or may not be read by this user ($_gatepost_gates$GATEPOST_TYPE)"
[ -r "$_gatepost_gates$GATEPOST_TYPE" ] || exit
_gatepost_fault="its compiled file is not complete ($_gatepost_gates$GATEPOST_TYPE)"
. "$_gatepost_gates$GATEPOST_TYPE"
[ -n "$_gatepost_team" ] || exit

# The team's hooks come after the repository's own, and count for themselves.
[ -n "$_gatepost_whole" ] || exit
if [ "$_gatepost_team" != none ]; then
  [ -n "$_gatepost_stop" ] || _gatepost_verdict=broken _gatepost_code=1
  _gatepost_whole= _gatepost_begun=0 _gatepost_closed=0 _gatepost_mend='gatepost init'
  _gatepost_fault="the compiled file of gatepost.json is missing, or may not be read by this user ($_gatepost_team$GATEPOST_TYPE)"
  [ -r "$_gatepost_team$GATEPOST_TYPE" ] || exit
  _gatepost_fault="the compiled file of gatepost.json is not complete ($_gatepost_team$GATEPOST_TYPE)"
  . "$_gatepost_team$GATEPOST_TYPE"
fi
case $_gatepost_verdict$_gatepost_lines in pass) trap - 0 && exit 0 ;; esac # there was nothing to judge by: no record
exit
