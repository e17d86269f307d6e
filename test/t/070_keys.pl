# A sealed key opens for its own user and provider only, every failure says
# the same, and the plain key is nowhere: not in a dump, the data directory,
# the write-ahead log, the server's log, or the spool.

use strict;
use warnings;

use BambiCluster;
use File::Find;
use Test::More;

my $fixed = 'the stored key could not be opened';
my $secret = join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 32;

# what the server itself writes about a client's statement is not at stake
my $bambi = BambiCluster->start('keys', conf => <<'CONF');
log_statement = none
log_min_duration_statement = -1
log_min_error_statement = panic
CONF
$bambi->sign_up($_) foreach qw(alice bob);
$bambi->lift_quota;
my $key = $bambi->add_key('alice', "sk-test-$secret");
my $other = $bambi->add_key('bob', "sk-test-bobs$secret");

sub key_of
{
	my ($configuration) = @_;

	return $bambi->sql("SELECT encrypted_api_key FROM bambi.api_configurations
		WHERE id = '$configuration'");
}

sub put_key
{
	my ($configuration, $sealed) = @_;

	$bambi->sql("UPDATE bambi.api_configurations
		SET encrypted_api_key = '$sealed' WHERE id = '$configuration'");
	return;
}

sub cannot_be_opened
{
	my ($says) = @_;
	my $id = $bambi->generate('bob', $says);

	$bambi->wait_for_status($id, 'failed', "$says: fails");
	is($bambi->column_of($id, 'error_code, error_message'),
		"key_unreadable|$fixed", "$says: with the one fixed text");
	is(scalar(grep { $_->{generation} eq $id } $bambi->ledger),
		0, "$says: nothing was sent");
	return;
}

my $id = $bambi->generate('bob', 'a fawn with its own key');
$bambi->wait_for_status($id, 'succeeded', 'the own key opens');
my ($alices, $bobs) = (key_of($key), key_of($other));

put_key($other, $alices);
cannot_be_opened("another user's key");

# the own one, changed in each of its five parts, cut short, and no key at all
my @parts = split /\./, $bobs, -1;
is(scalar @parts, 5, 'a sealed key has five parts');
foreach my $part (0 .. $#parts)
{
	my @changed = @parts;
	my $middle = int(length($changed[$part]) / 2);

	substr($changed[$part], $middle, 1) =
	  substr($changed[$part], $middle, 1) eq 'A' ? 'B' : 'A';
	put_key($other, join '.', @changed);
	cannot_be_opened("own key, part $part changed");
}
put_key($other, substr $bobs, 0, -4);
cannot_be_opened('own key, cut short');
put_key($other, 'sk-test-plain');
cannot_be_opened('no sealed key');

# a head that names bob, over what was sealed for alice
put_key($other, join '.', $parts[0], (split /\./, $alices, -1)[ 1 .. 4 ]);
cannot_be_opened("another user's key under the own head");

# sealed for another provider: the same row, once its provider has another slug
put_key($other, $bobs);
$bambi->sql("UPDATE bambi.api_providers SET slug = 'openai-two'
	WHERE slug = 'openai'");
$id = $bambi->sql_as('bob', "SELECT bambi_generate('for another provider',
	'openai-two/gpt-image-2', '{\"quality\": \"low\"}')");
$bambi->wait_for_status($id, 'failed', "another provider's key: fails");
is($bambi->column_of($id, 'error_code, error_message'),
	"key_unreadable|$fixed", "another provider's key: the same text");
$bambi->sql("UPDATE bambi.api_providers SET slug = 'openai'
	WHERE slug = 'openai-two'");

$id = $bambi->generate('bob', 'a fawn with the own key again');
$bambi->wait_for_status($id, 'succeeded', 'the own key still opens');

# ---- the plain key is nowhere

# errors that might show it: what the provider says, a second key of the name
$bambi->wait_for_status(
	$bambi->generate('bob', "[[mock fault=$_]] a fawn"), 'failed')
  foreach qw(openai-400-bad_request openai-403-verification);
$bambi->try_as('bob', "SELECT bambi_add_key('openai', 'sk-test-bobs$secret',
	'key of bob')");
$bambi->try_as('bob', "SELECT bambi_add_key('nowhere', 'sk-test-bobs$secret')");

# an answer in the spool, and a call that runs
$bambi->generate('bob', '[[mock hold]] a fawn for the spool');
$bambi->wait_in_flight(1);
$bambi->hold('spool-renamed');
$bambi->stop('immediate');
$bambi->mock('release');
$bambi->wait_held('spool-renamed');

my %files;
find(
	{
		no_chdir => 1,
		wanted => sub { $files{$_} = 1 if -f $_ }
	},
	$bambi->node->data_dir,
	$bambi->spool);
$files{ $bambi->node->logfile } = 1;

sub files_with
{
	my ($text) = @_;

	return grep { index(PostgreSQL::Test::Utils::slurp_file($_), $text) >= 0 }
	  sort keys %files;
}

cmp_ok(scalar(grep { /\.answer$/ } keys %files), '>', 0,
	'there is an answer in the spool');
cmp_ok(scalar files_with('a fawn with its own key'), '>', 0,
	'a prompt is found in the files');
is(join(' ', files_with($secret)), '', 'the key is in no file');
is(join(' ', files_with(substr $secret, 0, 12)), '', 'nor its beginning');
is(join(' ', files_with(substr $secret, -12)), '', 'nor its end');

$bambi->release('spool-renamed');
$bambi->node->start;
$bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)');
my ($dump, $errors);
IPC::Run::run(
	[
		$bambi->node->installed_command('pg_dump'),
		'-d', $bambi->node->connstr('bambi')
	],
	'>', \$dump, '2>', \$errors);
like($dump, qr/a fawn with its own key/, 'a prompt is in the dump');
unlike($dump, qr/\Q$secret\E/, 'the key is not');
is(index(PostgreSQL::Test::Utils::slurp_file($bambi->node->logfile), $secret),
	-1, 'and not in the log');

$bambi->stop;
done_testing();
