#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# sqlite.sh prepare|run|check PLACE KIND NUMBER: transactions one after the other in an SQLite database in the folder
# PLACE; KIND is the mode of its journal.
#   run    reports each transaction that is committed on the console, as one of cut NUMBER
#   check  says "held N" when the database is sound and has all transactions up to N, whole, and none later
place=$2 kind=$3 number=$4
db=$place/db

# So many transactions add a row; those behind them only take a seat, as the disk is small.
rows=3000
# What transaction n writes beside its number.
body="printf('%.*c', 100 + n * 37 % 3000, char(65 + n % 26))"

case $1 in
prepare)
	sqlite3 -batch -bail "$db" "PRAGMA journal_mode=$kind;
		CREATE TABLE log (n INTEGER PRIMARY KEY, body TEXT);
		CREATE TABLE seat (id INTEGER PRIMARY KEY, n INTEGER);
		INSERT INTO seat SELECT value, 0 FROM generate_series(0, 63);" >/dev/null && sync -f "$place"
	;;
run)
	coproc sqlite { stdbuf -oL sqlite3 -batch -bail "$db" 2>&1; }
	# Without this, a rollback journal that was unlinked may come back.
	echo "PRAGMA synchronous=EXTRA;" >&"${sqlite[1]}"
	n=0
	until [ -e /run/load.stop ]; do
		n=$((n + 1))
		echo "BEGIN; INSERT INTO log SELECT n, $body FROM (SELECT $n AS n) WHERE n <= $rows;
			UPDATE seat SET n = $n WHERE id = $n % 64; COMMIT; SELECT 'did $n .';" >&"${sqlite[1]}"
		read -r answer <&"${sqlite[0]}"
		if [ "$answer" != "did $n ." ]; then
			echo "$answer"
			exit 1
		fi
		echo "endure $number: $answer" >/dev/kmsg
	done
	echo ".quit" >&"${sqlite[1]}"
	wait "$sqlite_PID"
	;;
check)
	found=$(sqlite3 -batch -bail -separator ' ' "$db" "PRAGMA integrity_check;
		SELECT min(last, $rows) - count(log.n), coalesce(max(log.n), 0) > last,
			coalesce(sum(body <> $body), 0),
			(SELECT count(*) FROM seat WHERE n <> max(last - ((last - id) % 64 + 64) % 64, 0)),
			last
			FROM (SELECT max(n) AS last FROM seat) LEFT JOIN log;") || exit
	read -r integrity missing later wrong seats last <<<"${found//$'\n'/ }"
	if [ "$integrity $missing $later $wrong $seats" != "ok 0 0 0 0" ]; then
		echo "integrity, missing, later and wrong rows, wrong seats, last one: $found" >&2
		exit 1
	fi
	echo "held $last"
	;;
esac
