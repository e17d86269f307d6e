# A provider that gives back a key, in whatever disguise, finds nobody who
# stores or logs it; the rest of what it says can be read.

use strict;
use warnings;

use BambiCluster;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

my $bambi = BambiCluster->start('echo');
$bambi->sign_up('alice');
$bambi->lift_quota;
$bambi->point_to_mock(qw(google xai));

# Random, and the same in each run.
srand 7;
my @letters = ('a' .. 'z', 'A' .. 'Z', 0 .. 9);
sub random_key { return $_[0] . join '', map { $letters[rand @letters] } 1 .. $_[1] }

my %key = (
	openai => random_key('sk-proj-', 120),
	google => random_key('AIza', 35),
	xai => random_key('xai-', 80));
my %model = (
	openai => 'openai/gpt-image-2',
	google => 'google/gemini-nano-banana-2.1',
	xai => 'xai/grok-imagine-image-2.0');
$bambi->add_key('alice', $key{$_}, $_) foreach sort keys %key;

# What the provider makes of a key, and how much of that tells six of it.
sub each_as { my ($key, $format) = @_; return join '', map { sprintf $format, ord } split //, $key }
my %form = (
	whole => [ sub { $_[0] }, 6 ],
	masked => [ sub { $_[0] }, 6 ],
	bearer => [ sub { $_[0] }, 6 ],
	upper => [ sub { uc $_[0] }, 6 ],
	spaced => [ sub { each_as($_[0], '%c ') }, 11 ],
	percent => [ sub { each_as($_[0], '%%%02X') }, 18 ],
	json => [ sub { each_as($_[0], '\u%04x') }, 36 ],
	html => [ sub { each_as($_[0], '&#%d;') }, 30 ],
	hex => [ sub { unpack 'H*', $_[0] }, 12 ],
	base64 => [ sub { encode_base64($_[0], '') }, 8 ]);

# Whether text has as many characters of the disguised key in a row.
sub tells
{
	my ($text, $disguised, $window) = @_;

	foreach my $at (0 .. length($disguised) - $window)
	{
		return 1 if index($text, substr($disguised, $at, $window)) >= 0;
	}
	return 0;
}

my @calls;
foreach my $provider (sort keys %key)
{
	push @calls, [ $provider, $_,
		$bambi->generate('alice', "[[mock echo=$_]] a fawn", $model{$provider}) ]
	  foreach sort keys %form;
}
ok($bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)'),
	'all come to their end');

foreach my $call (@calls)
{
	my ($provider, $form, $id) = @$call;
	my ($disguise, $window) = @{ $form{$form} };
	my ($status, $code, $message, $request) = split /\|/, $bambi->column_of($id,
		"status, error_code, error_message, coalesce(provider_request_id, '')");

	is("$status $code", 'failed bad_request', "$provider, $form: refused");
	like($message, qr/^The key .*\*\*\*.* was refused\.$/,
		"$provider, $form: what was said can be read");
	ok(!tells(lc "$message $request", lc $disguise->($key{$provider}), $window),
		"$provider, $form: but for the key")
	  or diag("$message\n$request");
}
isnt($bambi->sql("SELECT count(*) FROM bambi.image_generations
	WHERE provider_request_id LIKE 'req_***%'"), 0,
	'a request id with a key in it was there');

# ---- and nowhere else

my ($dump) = run_command([ 'pg_dump', '--data-only', '-d',
	$bambi->node->connstr('bambi') ]);
my $log = PostgreSQL::Test::Utils::slurp_file($bambi->node->logfile);
my $spool = join '', map { -f $_ ? PostgreSQL::Test::Utils::slurp_file($_) : '' }
  glob $bambi->spool . '/*/*/*';
like($dump, qr/\[\[mock echo=whole\]\] a fawn/, 'the dump has the generations');
foreach my $what ([ dump => $dump ], [ log => $log ], [ spool => $spool ])
{
	my ($name, $text) = @$what;
	my @told;

	# two characters more: sealed keys have some of everything
	foreach my $provider (sort keys %key)
	{
		push @told, grep {
			my ($disguise, $window) = @{ $form{$_} };
			tells($text, $disguise->($key{$provider}), $window + 2)
		} sort keys %form;
	}
	is("@told", '', "nothing of a key is in the $name");
}

$bambi->stop;
done_testing();
