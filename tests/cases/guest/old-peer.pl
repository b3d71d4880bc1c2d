#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# old-peer ADDRESS VERSION...: plays a peer that speaks versions 86 to VERSION and no features, one
# after the other. Prints for each what the node introduces itself with, up to its state: the magic
# number of the headers, and of each packet its number and length.
use strict;
use warnings;
use Peer;

my ($address, @versions) = @ARGV;

sub take {
	my ($socket, $length) = @_;
	my $taken = '';
	while (length $taken < $length) {
		sysread($socket, $taken, $length - length $taken, length $taken)
			or die "closed after " . length($taken) . " of $length bytes\n";
	}
	return $taken;
}

for my $version (@versions) {
	my ($data, $meta) = both($address);
	syswrite $data, features(86, $version);
	take($data, 8 + 72);
	my ($line, $command) = ($version, 0);
	while ($command != 0x0e) {
		my ($magic, $length);
		if ($version >= 100) {
			($magic, undef, $command, $length) = unpack('NnnN', take($data, 16));
		} else {
			($magic, $command, $length) = unpack('Nnn', take($data, 8));
		}
		$line .= sprintf ' %08x', $magic if $line eq $version;
		$line .= sprintf ' %02x:%d', $command, $length;
		take($data, $length) if $length;
	}
	print "$line\n";
	close $data;
	close $meta;
}
