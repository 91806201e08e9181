# Writes the paths that _gatepost_paths found, each ended by NUL. To be called in a subshell.
_gatepost_supply() {
  if [ -z "$_gatepost_list" ]; then exec cat -- "$_gatepost_file"; fi
  set -f
  IFS=$_gatepost_newline
  printf '%s\0' $_gatepost_list
}
