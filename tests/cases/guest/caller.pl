#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# caller ADDRESS PACKET: plays a peer. Calls for the data socket and the meta socket, tells versions
# 86 to 101 and no features, sends PACKET (hexadecimal) and ends the data stream. Returns when the
# node has closed both sockets.
use strict;
use warnings;
use IO::Socket::INET;

my ($address, $packet) = @ARGV;
my $features = '83740267fffe0048' . '00000056' . '00000000' . '00000065' . '00' x 60;

# As a peer does: again and again, for the node may not listen yet.
sub call {
	my ($first) = @_;
	my $until = time + 30;
	while (time < $until) {
		my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 7789);
		if ($socket) {
			syswrite $socket, pack('H*', $first);
			return $socket;
		}
		select undef, undef, undef, 0.05;
	}
	die "$address does not listen: $!\n";
}

my $data = call('83740267fff20000');
my $meta = call('83740267fff10000');
syswrite $data, pack('H*', $features . $packet);
shutdown $data, 1;
for my $socket ($data, $meta) {
	1 while sysread $socket, my $said, 4096;
}
