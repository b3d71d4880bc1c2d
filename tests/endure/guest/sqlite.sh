#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# sqlite.sh prepare|run|check PLACE KIND NUMBER: transactions one after the other in an SQLite database in the folder
# PLACE; KIND is the mode of its journal.
#   run    reports each transaction that is committed on the console, as one of cut NUMBER
#   check  says "held N" when the database is sound and has all transactions up to N, whole, and none later
place=$2 kind=$3 number=$4
db=$place/db

# What transaction n writes beside its number.
body() { echo "printf('%.*c', 100 + $1 * 37 % 3000, char(65 + $1 % 26))"; }

statements() {
	local n=0
	# Without this, a rollback journal that was unlinked may come back.
	echo "PRAGMA synchronous=EXTRA;"
	until [ -e /run/load.stop ]; do
		n=$((n + 1))
		echo "BEGIN; INSERT INTO log VALUES ($n, $(body $n)); UPDATE seat SET n = $n WHERE id = $n % 64; COMMIT;
			SELECT 'endure $number: did $n .';"
	done
}

case $1 in
prepare)
	sqlite3 -batch -bail "$db" "PRAGMA journal_mode=$kind;
		CREATE TABLE log (n INTEGER PRIMARY KEY, body TEXT);
		CREATE TABLE seat (id INTEGER PRIMARY KEY, n INTEGER);
		INSERT INTO seat SELECT value, 0 FROM generate_series(0, 63);" >/dev/null && sync -f "$place"
	;;
run)
	# A line at a time is one message of the kernel's log at a time.
	statements | stdbuf -oL sqlite3 -batch -bail "$db" >/dev/kmsg
	;;
check)
	found=$(sqlite3 -batch -bail -separator ' ' "$db" "PRAGMA integrity_check;
		SELECT count(*) - coalesce(max(n), 0), coalesce(sum(body <> $(body n)), 0) FROM log;
		SELECT count(*) FROM seat
			WHERE n <> coalesce((SELECT max(log.n) FROM log WHERE log.n % 64 = seat.id), 0);
		SELECT coalesce(max(n), 0) FROM log;") || exit
	mapfile -t line <<<"$found"
	if [ "${line[*]:0:3}" != "ok 0 0 0" ]; then
		echo "integrity, missing and wrong rows, wrong seats, last one: ${line[*]}" >&2
		exit 1
	fi
	echo "held ${line[3]}"
	;;
esac
