#!/bin/sh
# The machine is started again after its power was cut: what is done with one crash image, in mount and process
# namespaces of its own. Called as: unshare -m -p -f --mount-proc sh power-restart.sh IMAGE DISK JOURNAL OUT HOME NODE PROGRAM
#
# The image stands where the disk stood, so no path and no inode differs. The boot id is another one, and no process of
# the first life is seen. Only the wall clock goes on without the half minute that a machine takes to start: the lease
# and the entries that the image holds are aged by that much instead.
set -eu
image=$1 disk=$2 journal=$3 out=$4 home=$5 node=$6 program=$7
repository=${home%/*}
mkdir "$out/before" "$out/after" "$out/journal"
cat /proc/sys/kernel/random/uuid >"$out/boot"
mount --bind "$out/boot" /proc/sys/kernel/random/boot_id
mount -o loop "$image" "$disk"
mount --bind "$out/journal" "$journal"

cp "$home"/gatepost.db* "$out/before"
ls "$home/spool" >"$out/spool"
git -C "$repository" for-each-ref --format='%(refname) %(objectname)' >"$out/refs"
git -C "$repository" fsck --connectivity-only >"$out/fsck" 2>&1 || echo "fsck failed" >>"$out/fsck"

"$node" -e '
const SQLite = require(process.argv[2]);
const db = new SQLite(process.argv[1]);
db.exec("UPDATE lease SET expires_at = expires_at - 30000");
db.close();' "$home/gatepost.db" "${program%/bin/gatepost}/node_modules/better-sqlite3"

find "$home/spool" -name '*.entry' -exec touch -d '30 seconds ago' {} +

code=0
"$node" "$program" backoffice --home "$home" >"$out/said" 2>&1 || code=$?
echo "$code" >"$out/code"
code=0
"$node" "$program" doctor --home "$home" >"$out/doctor" 2>&1 || code=$?
echo "$code" >>"$out/code"
cp "$home"/gatepost.db* "$out/after"
ls "$home/spool/bad" >"$out/bad"
