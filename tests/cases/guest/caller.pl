#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# caller ADDRESS PACKET: plays a peer. Calls for the data socket and the meta socket, tells versions
# 86 to 101 and no features, sends PACKET (hexadecimal) and ends the data stream. Returns when the
# node has closed both sockets.
use strict;
use warnings;
use Peer;

my ($address, $packet) = @ARGV;
my ($data, $meta) = both($address);
syswrite $data, features(86, 101) . pack('H*', $packet);
shutdown $data, 1;
for my $socket ($data, $meta) {
	1 while sysread $socket, my $said, 4096;
}
