#!/bin/sh
# gatepost shim 1 fossil @SUM@
trap 'exit 1' 0 # until there is more to say
#
# Asks the gate of a Fossil repository: runs the hooks that Gatepost compiled for it, and refuses when one of them does.
# Nobody starts this file. It is read (`.`) by the shell that fossil starts for the one entry that Gatepost has in the
# repository's own hook list (src/shim/fossil-entry.ts), and for commit-msg by the editor's script and `gatepost commit`.
# Rules and names are those of gate.sh; in the sources it is fossil.sh, gate-core.sh, fossil-find.sh and gate-go.sh.
#
# Who reads it has set
#     _gatepost_home          the home, an absolute path
#     _gatepost_key           which repository of the home, "12"; empty where the home is the repository's own
#     _gatepost_repository    then, the repository's file; otherwise it is found beside the home
#     _gatepost_hook          commit-msg, where it is not before-commit; the first argument is the file with the message
#     _gatepost_named         with that, the branch that the commit is told to be on, if it is
#     _gatepost_caller        what the caller typed, where it is not "fossil commit": for the way round
#
# The description. Fossil tells a before-commit hook what is being committed in a file commit-description-HEX.txt in the
# checkout's root, and would put its name into the command in place of %A, in no quotes: a checkout below "it's" would
# end fossil. So it is found here: the newest of that name, which must be of this checkout; fossils that were killed have
# left others, whose times may be odd. Hooks find it at %A byte for byte, except that its branch is right.
#
# The branch. Fossil writes the main branch whenever no --branch was given. Its line is believed where the parent's tags,
# in the next line, name the same branch, and where --branch was given: that says fossil's own command line, as far as
# /proc tells it. Otherwise it is the parent's only tag. Only where there are several is fossil asked, which is one process.
# GATEPOST_BRANCH has it, GATEPOST_CLOSE is 1 where --close was given: both cost none. GATEPOST_PARENT, the hash of the
# parent check-in, is told by fossil alone: it is there in gates of which a hook uses %A.
#
# If this process dies, fossil refuses, and removes its file. Proven by test/e2e/fossil-gates.test.ts.

set -- "$_gatepost_home" "${_gatepost_key-}" "${_gatepost_hook-before-commit}" "${_gatepost_repository-}" "${_gatepost_named-}" \
  "${_gatepost_caller-fossil commit}" "$@"
unset _gatepost_home _gatepost_key _gatepost_hook _gatepost_repository _gatepost_named _gatepost_caller # bash exported them
_gatepost_place=$1 _gatepost_key=$2 _gatepost_native=$3 _gatepost_stated=$4 _gatepost_named=$5 _gatepost_caller=$6
shift 6
_gatepost_cold=$_gatepost_place/shim/gate.sh
