#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# postgres.sh prepare|run|check PLACE KIND NUMBER: transactions one after the other in a PostgreSQL cluster in the
# folder PLACE; KIND is how its log is made durable (wal_sync_method).
#   run    reports each transaction that is committed on the console, as one of cut NUMBER
#   check  says "held N" when the cluster recovers, is sound and has all transactions up to N, whole, and none later
place=$2 kind=$3 number=$4
data=$place/cluster sockets=/run/postgres log=/run/postgres/log
bin=$(echo /usr/lib/postgresql/*/bin)
export PGHOST=$sockets PGUSER=postgres PGDATABASE=postgres

as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }

# Starting waits for the end of recovery, stopping for the last checkpoint.
server() {
	mkdir -p $sockets && chown postgres $sockets &&
		as_postgres "$bin/pg_ctl" --silent --wait --timeout=100 --pgdata="$data" --log=$log "$@" && return
	tail -n 40 $log >&2
	return 1
}

query() { stdbuf -oL "$bin/psql" -qAtX -v ON_ERROR_STOP=1 "$@"; }

# So many transactions add a row; those behind them only take a seat, as the disk is small.
rows=3000
# What transaction n writes beside its number. The longer ones go to a table of their own.
body="repeat(chr(65 + n % 26), 100 + n * 37 % 3000)"

# Few buffers and a small log: there are checkpoints, and writes of tables, all the time.
settings() {
	cat <<-SETTINGS
		fsync = on
		synchronous_commit = on
		full_page_writes = on
		wal_sync_method = $kind
		shared_buffers = 1MB
		min_wal_size = 2MB
		max_wal_size = 3MB
		max_connections = 8
		listen_addresses = ''
		unix_socket_directories = '$sockets'
		log_checkpoints = on
	SETTINGS
}

case $1 in
prepare)
	cp -a /var/lib/postgresql/cluster "$data" && settings >>"$data/postgresql.conf" || exit
	server start && query -c "
		CREATE TABLE log (n int PRIMARY KEY, body text);
		ALTER TABLE log ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE seat (id int PRIMARY KEY, n int);
		INSERT INTO seat SELECT id, 0 FROM generate_series(0, 63) id;" && sync -f "$place"
	;;
run)
	coproc psql { query 2>&1; }
	n=0
	until [ -e /run/load.stop ]; do
		n=$((n + 1))
		# What is answered behind COMMIT is answered when that is durable.
		echo "BEGIN \\; INSERT INTO log SELECT n, $body FROM (SELECT $n AS n) WHERE n <= $rows \\;
			UPDATE seat SET n = $n WHERE id = $n % 64 \\; COMMIT; SELECT 'did $n .';" >&"${psql[1]}"
		read -r answer <&"${psql[0]}"
		if [ "$answer" != "did $n ." ]; then
			echo "$answer"
			exit 1
		fi
		echo "endure $number: $answer" >/dev/kmsg
	done
	echo "\\q" >&"${psql[1]}"
	wait "$psql_PID"
	server stop --mode=fast
	;;
check)
	server start || exit
	found=$(query -F ' ' -c "
		WITH seats AS (SELECT max(n) AS last FROM seat)
			SELECT least(last, $rows) - count(log.n), (coalesce(max(log.n), 0) > last)::int,
				count(*) FILTER (WHERE body <> $body),
				(SELECT count(*) FROM seat
					WHERE seat.n <> greatest(last - ((last - id) % 64 + 64) % 64, 0)),
				last
				FROM seats LEFT JOIN log ON true GROUP BY last;") &&
		"$bin/pg_amcheck" --table=log --table=seat --heapallindexed >&2 || exit
	server stop --mode=fast && as_postgres "$bin/pg_checksums" --check --pgdata="$data" >&2 || exit
	read -r missing later wrong seats last <<<"$found"
	if [ "$missing $later $wrong $seats" != "0 0 0 0" ]; then
		echo "missing, later and wrong rows, wrong seats, last one: $found" >&2
		exit 1
	fi
	echo "held $last"
	;;
esac
