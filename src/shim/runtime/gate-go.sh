# What all gates end with: what is run first, what hooks find in the environment, and the compiled file.

if [ -n "$_gatepost_local" ]; then
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
exit
