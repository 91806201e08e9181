#!/bin/sh
# gatepost shim 1 gate @SUM@
trap 'exit 1' 0 # until there is more to say
#
# Asks the gate: runs the hooks that Gatepost compiled for this point of a commit or push, and refuses when one of them
# does. The same file stands under the name of each native hook that has such hooks. The second line is how the
# installer knows its own file; do not change it.
#
# Rules
#   1. It fails closed. The verdict starts as broken; only the last line of the compiled file, which names how many
#      hooks there are, makes it pass. Whatever cannot be found, read or run refuses, says why, and names the way round.
#   2. It starts no process but the hooks, and what their options ask for: a fork costs as much as all of this file.
#      Node is never started, and the database never read.
#   3. A hook gets what git gave: directory, umask, IFS, shell options, descriptors 0 to 2, arguments. All that would
#      change them is done after the last hook, or undone at once. Hooks run in a subshell each, written `( … )` and
#      never in a condition, because there `set -e` in a hook would do nothing; nor does `.` below stand in one.
#   4. Nothing in the environment, in a ref or in a path is run or expanded a second time. Server gates take nothing of
#      ours from the environment: a pusher chooses it.
#   5. What cannot be written down does not change the verdict: one line of warning.
#
# Compiled file: <home>/gates/TYPE, written by src/gate/compile.ts; <home>/gates/12.TYPE where the home stands elsewhere
# and the second line of the pointer file says "gates: 12". For each hook it calls
# _gatepost_begin, runs the subshell, and calls _gatepost_end; its last line calls _gatepost_done.
#
# Record: added to <home>/spool/gates by one write, behind an empty line so that one that was cut off spoils no other; in
# a home that others share, and for a long one, a file of its own. Format in src/spool/gate-entry.ts. Appending costs a
# hundredth of making a file. Times have 10 ms: that is what the kernel tells without a process.
#
# If this process dies, git refuses; a temporary file may stay in <home>/aux, where the backoffice removes it.
# What a commit needs whose hooks all pass is in this file, flat, since the shell reads it each time and keeps what stands
# in functions; all else is in gatepost/gate.sh beside it, read when it is needed. In the sources it is gate.sh, gate-core.sh,
# gate-git.sh and gate-go.sh, in this order; the second and the last are in the gate of Fossil repositories as well
# (fossil.sh). Proven by test/e2e/gate-*.test.ts, in dash, bash and busybox.

_gatepost_native=${0##*/}
case $_gatepost_native in # what bash would take from a pusher's environment
pre-receive | update | post-update | push-to-checkout) unset -f [ cd printf read umask unalias ;;
esac
case $0 in
*/gatepost/after/*) _gatepost_hooks=${0%/gatepost/after/*} ;;
gatepost/after/*) _gatepost_hooks=. ;;
*/*) _gatepost_hooks=${0%/*} ;;
*) _gatepost_hooks=. ;;
esac
case $_gatepost_hooks in /*) ;; *) _gatepost_hooks=./$_gatepost_hooks ;; esac
_gatepost_cold=$_gatepost_hooks/gatepost/gate.sh
