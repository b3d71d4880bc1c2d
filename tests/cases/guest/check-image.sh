#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check-image IMAGE SUMS N: what is in the image of a lower device with internal metadata after a power cut: the
# metadata is sound and its log can be applied; the ext4 file system is whole when its journal was replayed; and the
# first N files of SUMS are there, as that says.
image=$1 sums=$2 number=$3
place=/run/check
rm -rf $place
mkdir -p $place/files
cp --sparse=always "$image" $place/image
tandem meta --force - v08 $place/image internal apply-al >/dev/null 2>&1 || exit
e2fsck -E journal_only -fy $place/image >/dev/null 2>&1
e2fsck -fn $place/image >$place/said 2>&1 || {
	cat $place/said
	exit 1
}
debugfs -R "rdump / $place/files" $place/image 2>/dev/null
cd $place/files && head -n "$number" "$sums" | sha256sum --quiet -c -
