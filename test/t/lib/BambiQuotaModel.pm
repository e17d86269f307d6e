# BambiQuotaModel.pm
#	What a user's quota is, by the plainest rules there are: a list of what was
#	reserved, each with the period that it was taken from.
#
#	my $model = BambiQuotaModel->new($number, $end_of_first_period);
#	$model->reserve($answer, fate => 'succeeds');	# an id, or PT402
#	$model->advance(3);
#	is($account, $model->account);
#	my @wrong = $model->complaints;
#
# Days are whole numbers; a period that ends with day 10 runs on day 9 and not
# on day 10.  {bill} is the subscription, which others change.

package BambiQuotaModel;

use strict;
use warnings;

use POSIX qw(floor);

my %limit = (free => 3, silver => 5, gold => 8);
my %length = (free => 10, silver => 10, gold => 5);
my $grace = 7;

sub new
{
	my ($class, $number, $end) = @_;

	return bless {
		number => $number,
		day => 0,
		end => $end,          # of the period that something is counted in
		start => undef,       # of it, if it is one of a subscription
		period => 0,          # its number
		bill => undef,
		items => [],
		wrong => [],
	}, $class;
}

# ---- plan and period

sub plan
{
	my ($self) = @_;
	my $bill = $self->{bill} or return 'free';
	my $day = $self->{day};

	return 'free' unless $bill->{status} =~ /^(active|past_due)$/;
	return 'free' if $bill->{status} eq 'past_due'
	  && $day >= $bill->{due} + $grace;
	return $bill->{plan} unless defined $bill->{end} && $day >= $bill->{end};
	return 'free' if $bill->{is_over} || $day >= $bill->{end} + $grace;
	return $bill->{next} // $bill->{plan};
}

# First day of the subscription's period, and the day after its last; nothing
# if no subscription decides.
sub billed
{
	my ($self) = @_;
	my $bill = $self->{bill};
	my $plan = $self->plan;

	return unless $plan ne 'free' && defined $bill->{end};
	my $length = $length{$plan};
	my $from = $bill->{end};

	$from -= $length while $from > $self->{day};
	$from += $length while $from + $length <= $self->{day};
	my $to = $from + $length;
	$from = $bill->{start} if $from < $bill->{start};
	return ($from, $to);
}

sub runs
{
	my ($self) = @_;
	my ($from) = $self->billed;

	return defined $self->{start} && $self->{start} >= $from
	  if defined $from;
	return defined $self->{end} && $self->{end} > $self->{day};
}

sub used
{
	my ($self) = @_;

	return 0 unless $self->runs;
	return scalar grep { defined $_->{period}
		  && $_->{period} == $self->{period} } $self->items;
}

sub has_place { my ($self) = @_; return $self->used < $limit{ $self->plan } }

# The period that a new reservation is taken from.
sub take_period
{
	my ($self) = @_;
	my ($from, $to) = $self->billed;

	return $self->{period} if $self->runs;
	if (!defined $from)
	{
		$to = $self->{end} // $self->{day};
		$to += $length{ $self->plan } until $to > $self->{day};
	}
	($self->{start}, $self->{end}) = ($from, $to);
	return ++$self->{period};
}

sub advance
{
	my ($self, $days) = @_;

	$self->{day} += $days;
	return;
}

# ---- what was reserved

# All, or those in one of the states.
sub items
{
	my ($self, @states) = @_;

	return @{ $self->{items} } unless @states;
	my %is = map { ($_ => 1) } @states;
	return grep { $is{ $_->{state} } } @{ $self->{items} };
}

sub wrong
{
	my ($self, $what) = @_;

	push @{ $self->{wrong} }, $what;
	return;
}

# Whether an answer is what the quota allows.
sub expect_place
{
	my ($self, $answer) = @_;
	my $is_place = $answer =~ /^[0-9a-f-]{36}$/;

	$self->wrong("\"$answer\", and " . $self->account)
	  if $self->has_place ? !$is_place : $answer ne 'PT402';
	return $is_place;
}

sub reserve
{
	my ($self, $answer, %item) = @_;

	return unless $self->expect_place($answer);
	push @{ $self->{items} },
	  { %item, id => $answer, state => 'pending', model => $self,
		period => $self->take_period };
	return;
}

# A reservation that stands is not taken again.
sub retry
{
	my ($self, $item, $answer) = @_;

	if (!defined $item->{period})
	{
		return unless $self->expect_place($answer);
		$item->{period} = $self->take_period;
	}
	elsif ($answer ne $item->{id})
	{
		$self->wrong("retried $item->{id}: $answer");
	}
	$item->{state} = 'pending';
	return;
}

# What failed or was cancelled has no place any more, in whatever period.
sub end
{
	my ($self, $item, $status) = @_;

	$item->{state} = $status;
	$item->{period} = undef if $status =~ /^(failed|cancelled)$/;
	return;
}

# ---- what must be seen of it

sub account
{
	my ($self) = @_;
	my ($plan, $used) = ($self->plan, $self->used);
	my (undef, $to) = $self->billed;
	my $left = $limit{$plan} - $used;

	$to = $self->{end} if $self->runs;
	return sprintf '%s, %d used, %d left, resets at %s', $plan, $used,
	  $left > 0 ? $left : 0, $to // 'none';
}

sub complaints
{
	my ($self) = @_;

	return splice @{ $self->{wrong} };
}

1;
