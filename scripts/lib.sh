# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of this folder; sourced, never run.
#
# Everything that takes long to make lives in one cache outside the checkout:
#   ${TANDEM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tandem}
# Entries are named by a hash of what they depend on, and appear under their name only when complete.

set -euo pipefail

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(dirname "$SCRIPTS")
CACHE=${TANDEM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tandem}

# Debian keeps mke2fs, chroot and the like where an ordinary user does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# say TEXT: progress for people, on standard error.
say() { echo "tandem: $*" >&2; }

# die TEXT: one line that says what is wrong and what to do.
die() { echo "tandem: error: $*" >&2; exit 1; }

# pin KEY: a value of scripts/versions, or of the environment under TANDEM_KEY.
pin() {
	local name=TANDEM_$1
	if [ -n "${!name:-}" ]; then
		echo "${!name}"
	else
		sed -n "s/^$1=//p" "$SCRIPTS/versions"
	fi
}

# hash_of TEXT...: sixteen hex digits that name a cache entry.
hash_of() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# lock NAME: one maker at a time per cache entry; held until this process ends.
lock() {
	mkdir -p "$CACHE"
	exec 9>"$CACHE/.lock-$1"
	flock -n 9 || { say "waiting for another run that prepares $1"; flock 9; }
}

# need PROGRAM...: stops with a hint when a program of the host is missing.
need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null ||
			die "$program is missing on this machine; run scripts/install-deps"
	done
}

# in_ns COMMAND...: runs it with root's rights over the cache and with private mounts. Root only
# needs the mounts; an ordinary user gets both from a user namespace.
in_ns() {
	if [ "$(id -u)" = 0 ]; then
		unshare --mount --propagation private -- "$@"
	else
		unshare --user --map-root-user --map-auto --mount --propagation private -- "$@"
	fi
}

# debian_tree DIR MMDEBSTRAP-OPTION...: a Debian tree of the resolved versions in the new folder DIR.
debian_tree() {
	local dir=$1
	shift
	set -- --variant=minbase --quiet --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Check-Valid-Until "false"' "$@" "$R_SUITE"
	local sources=("deb $R_MIRROR $R_SUITE main" "deb $R_MIRROR $R_SUITE-backports main")
	if [ "$(id -u)" = 0 ]; then
		mmdebstrap --mode=root "$@" "$dir" "${sources[@]}" >&2
		return
	fi
	# mmdebstrap's root is then a user from a range of their own, who cannot even reach a folder in
	# somebody's home: the tree goes through a pipe. Device nodes only root can make; the room has
	# the host's, the guests make their own.
	mkdir "$dir"
	mmdebstrap --mode=unshare "$@" - "${sources[@]}" |
		in_ns tar --extract --numeric-owner --exclude='./dev/*' --directory "$dir" >&2
}

# resolved: brings the versions that the archive really has into R_* variables.
resolved() {
	local file
	file=$("$SCRIPTS/resolve")
	# shellcheck source=/dev/null
	. "$file"
}
