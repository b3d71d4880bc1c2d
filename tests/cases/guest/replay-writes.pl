#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# replay-writes LOG IMAGE COMMAND: writes to IMAGE, a file of zeroes, what a device has been sent of which
# dm-log-writes made LOG, in its order. A write stands in there when the device has it for good: when it
# was flushed (the kernel's drivers/md/dm-log-writes.c has the format, all little endian). So the image
# is what a power cut could have left. COMMAND is run with the text of the last mark ("dmsetup message
# DEVICE 0 mark TEXT") at each mark, and at each flush and FUA write behind the first one; the first
# that fails ends all. Prints how often it was run.
use strict;
use warnings;
no warnings 'portable';

use constant {SECTOR => 512, FLUSH => 1, FUA => 2, DISCARD => 4, MARK => 8, MAGIC => 0x6a736677736872};

my ($log, $image, @command) = @ARGV;
open my $from, '<:raw', $log or die "$log: $!\n";
open my $to, '+<:raw', $image or die "$image: $!\n";

# So many sectors of the log, from where it stands.
sub take {
	my ($sectors) = @_;
	my $got = sysread $from, my $bytes, $sectors * SECTOR;
	die "the log ends too early\n" unless defined $got && $got == $sectors * SECTOR;
	return $bytes;
}

my ($magic, $version, $entries, $size) = unpack 'Q<3L<', take(1);
die "$log is no log of writes\n" unless $magic == MAGIC && $version == 1 && $size == SECTOR;
my ($mark, $runs) = ('', 0);
for my $number (1 .. $entries) {
	my $head = take(1);
	my ($sector, $sectors, $flags, $length) = unpack 'Q<4', $head;
	if ($sectors) {
		my $data = $flags & DISCARD ? "\0" x ($sectors * SECTOR) : take($sectors);
		sysseek $to, $sector * SECTOR, 0;
		syswrite($to, $data) == length $data or die "$image: $!\n";
	}
	# The last mark is the kernel's own.
	last if $flags & MARK && substr($head, 32, $length) eq 'dm-log-writes-end';
	$mark = substr $head, 32, $length if $flags & MARK;
	next unless $mark ne '' && $flags & (FLUSH | FUA | MARK);
	$runs++;
	system(@command, $mark) == 0 or die "after entry $number of $entries, mark $mark\n";
}
print "$runs\n";
