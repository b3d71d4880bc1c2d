#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# drip ADDRESS: plays a peer that calls for both sockets and tells its features one byte a second.
# Prints how many seconds passed until the node closed the socket.
use strict;
use warnings;
use Peer;

my ($address) = @ARGV;
my ($data, $meta) = both($address);
my $since = time;
$SIG{PIPE} = 'IGNORE';
for my $byte (split //, features(86, 101)) {
	last unless syswrite $data, $byte;
	my $closed = '';
	vec($closed, fileno $data, 1) = 1;
	# What the node says itself is read; the end of it is its answer.
	last if select($closed, undef, undef, 1) && !sysread $data, my $said, 4096;
}
print time - $since, "\n";
