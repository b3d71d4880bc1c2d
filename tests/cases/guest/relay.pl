#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# relay PORT ADDRESS: between a node that calls PORT of this machine and its peer at ADDRESS. While
# the file /run/drip is there, what the node sends on its data socket is read one byte a second.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $address) = @ARGV;
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 5, ReuseAddr => 1)
	or die "cannot listen: $!\n";
print "listens\n";
STDOUT->flush;
# P_INITIAL_DATA begins the data socket.
my $data = pack 'H*', '83740267fff2';
$SIG{CHLD} = 'IGNORE';

# Brings what FROM sends to TO; returns at its end.
sub bring {
	my ($from, $to, $is_data) = @_;
	my $dripping = sub { $is_data && -e '/run/drip' };
	while (1) {
		my $got = sysread $from, my $bytes, $dripping->() ? 1 : 65536;
		last unless $got;
		syswrite $to, $bytes or last;
		# Until a second has passed, or the socket is closed from the other side.
		select undef, undef, undef, 1 if $dripping->();
	}
	shutdown $to, 1;
	shutdown $from, 0;
}

while (my $node = $listener->accept) {
	next if fork;
	my $peer = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 7789) or exit;
	sysread $node, my $first, 8 or exit;
	syswrite $peer, $first;
	if (fork) {
		bring($node, $peer, substr($first, 0, 6) eq $data);
	} else {
		bring($peer, $node, 0);
	}
	exit;
}
