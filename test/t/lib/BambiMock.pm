# BambiMock.pm
#	What a BambiCluster does with its mock provider, and that one's ledger.  It is
#	a part of that class: statements and waits are there.

package BambiMock;

use strict;
use warnings;

use Carp;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Symbol qw(gensym);
use Test::More;

# Where the mock is which provider.
my %base = (
	openai => '/v1',
	xai => '/xai/v1',
	google => '/google/v1',
	vertex => '/vertex');

sub point_openai_to_mock { return $_[0]->point_to_mock('openai') }

# Providers by their slugs.  Vertex may have its tokens from the mock, too.
sub point_to_mock
{
	my ($self, @slugs) = @_;

	foreach my $slug (@slugs)
	{
		my $at = $self->mock_address($base{$slug});
		my $settings = $slug eq 'vertex'
		  ? encode_json({ token_uri => "$at/token" }) : '{}';

		$self->sql("UPDATE bambi.api_providers
			SET api_base_url = '$at', settings = settings || '$settings',
				allowed_networks = '{127.0.0.1/32}'
			WHERE slug = '$slug'");
	}
	return;
}

sub mock_address
{
	my ($self, $path) = @_;

	return "http://127.0.0.1:$self->{mock_port}" . ($path // '');
}

sub start_mock
{
	my ($self, @options) = @_;
	my $port_file = "$self->{dir}/mock.port";

	# one that the system gives to nobody who calls, since it is used again
	$self->{mock_port} //= PostgreSQL::Test::Cluster::get_free_port();
	unlink $port_file;
	$self->{mock_in} = gensym;
	$self->{mock} = IPC::Run::start(
		[
			$ENV{BAMBI_MOCK}, '--quiet', '--until-eof',
			'--port-file', $port_file,
			'--port', $self->{mock_port},
			'--ledger', "$self->{dir}/ledger", @options
		],
		'<pipe', $self->{mock_in},
		'>', "$self->{dir}/mock.out",
		'2>', "$self->{dir}/mock.err");
	$self->wait_until('the mock', sub { -s $port_file });
	return;
}

sub stop_mock
{
	my ($self) = @_;

	return unless $self->{mock};
	close $self->{mock_in};
	$self->{mock}->kill_kill;
	delete $self->{mock};
	return;
}

# POST /_mock/WHAT: faults (a hash, or an array of them), release, reset.
sub mock
{
	my ($self, $what, $wish) = @_;

	my $answer = HTTP::Tiny->new->post(
		"http://127.0.0.1:$self->{mock_port}/_mock/$what",
		{ content => defined $wish ? encode_json($wish) : '' });
	croak "mock: $answer->{content}" unless $answer->{success};
	return;
}

sub mock_stats
{
	my ($self) = @_;

	return decode_json(HTTP::Tiny->new->get(
			"http://127.0.0.1:$self->{mock_port}/_mock/stats")->{content});
}

# A picture as the mock draws it for whoever asks it directly; not in its
# ledger afterwards, nor in its counters.
sub drawn
{
	my ($self, $wish) = @_;
	my $answer = HTTP::Tiny->new->post(
		$self->mock_address('/v1/images/generations'),
		{
			headers => { authorization => 'Bearer sk-test' },
			content => encode_json(
				{ model => 'gpt-image-2', prompt => 'x', quality => 'low',
					%$wish })
		});
	croak "mock: $answer->{content}" unless $answer->{success};
	$self->mock('reset');
	return decode_base64(decode_json($answer->{content})->{data}[0]{b64_json});
}

# When calls began and ended there, in order: their numbers in the ledger,
# negative at the end.
sub flights
{
	my ($self) = @_;

	return split /\n/,
	  HTTP::Tiny->new->get($self->mock_address('/_mock/flights'))->{content};
}

# Until the mock holds so many calls unanswered.
sub wait_in_flight
{
	my ($self, $count) = @_;

	$self->wait_until("$count calls that run",
		sub { return $self->mock_stats->{in_flight} == $count });
	return;
}

# What the provider saw: a hash per call, in order.
sub ledger
{
	my ($self) = @_;
	my $file = "$self->{dir}/ledger";

	return -e $file ? map { decode_json($_) } split /\n/, slurp_file($file) : ();
}

# Calls that it took money for.
sub charges
{
	my ($self) = @_;

	return grep { $_->{charged} } $self->ledger;
}

# A test of its own, and the one that matters: what the provider charged is
# what succeeded or is uncertain, and no generation was charged twice.
sub ledger_is_equal
{
	my ($self, $says) = @_;
	$says //= 'ledger and database agree';
	my %charged;

	foreach my $call ($self->charges)
	{
		$charged{ $call->{generation} || 'a call without an id' }++;
	}
	my @wrong = map { "$_ was charged $charged{$_} times" }
	  grep { $charged{$_} > 1 } sort keys %charged;

	foreach my $row (split /\n/, $self->sql(
			"SELECT g.id, g.status FROM bambi.image_generations g
			  JOIN bambi.models m ON m.id = g.model_id
			  JOIN bambi.api_providers p ON p.id = m.provider_id
			 WHERE p.slug = 'openai' ORDER BY g.id"))
	{
		my ($id, $status) = split /\|/, $row;
		my $was_charged = delete $charged{$id} // 0;

		push @wrong, "$id is $status but was charged"
		  if $was_charged && $status !~ /^(succeeded|uncertain)$/;
		push @wrong, "$id is $status but was not charged"
		  if !$was_charged && $status eq 'succeeded';
	}
	push @wrong, map { "$_ was charged and is not in the database" }
	  sort keys %charged;
	return ok(!@wrong, $says) || diag(join "\n", @wrong);
}

# The calls that were charged for one generation.
sub charges_of
{
	my ($self, $id) = @_;

	return grep { $_->{generation} eq $id } $self->charges;
}

# Those since the ledger had so many: not every provider is told the
# generation's id.
sub ledger_since
{
	my ($self, $count) = @_;
	my @entries = $self->ledger;

	return @entries[ $count .. $#entries ];
}

1;
