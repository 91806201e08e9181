# Is the folder of --dir there? If not, a commit that brings nothing into it leaves the hook out.
_gatepost_has_folder() {
  [ ! -d "./$1" ] || return 0
  _gatepost_list_changes || return
  _gatepost_list=$(_gatepost_matching here "$1" _gatepost_any)
  [ -n "$_gatepost_list" ] || { _gatepost_leave_out path "there is no folder $1" && return 1; }
  _gatepost_break "the folder $1 of --dir is not there"
}

# Goes to the folder of --dir, below the checkout's root.
_gatepost_enter() {
  cd -- "./$1" || return
  [ ! -d node_modules/.bin ] || PATH=$PWD/node_modules/.bin:$PATH
}
