# A month of generations, usage and changes goes into a bucket and comes back
# equal, row by row and byte by byte, with pictures that are in the database and
# in another bucket: copied, and by reference.  A way back that ends in the middle
# leaves nothing in that bucket once it is cancelled.
#
# Environment: S3_ENDPOINT is a server whose buckets are the directories
# "pictures" and "attic" below S3_ROOT; S3_REGION, S3_ACCESS and S3_SECRET.

use strict;
use warnings;

use BambiArchive;
use BambiCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $credentials = PostgreSQL::Test::Utils::tempdir('s3') . '/credentials';
append_to_file($credentials, <<"CREDENTIALS");
[default]
aws_access_key_id = $ENV{S3_ACCESS}
aws_secret_access_key = $ENV{S3_SECRET}
CREDENTIALS
chmod 0600, $credentials or die "$credentials: $!";

my $bambi = BambiCluster->start('archive_s3', conf => <<"CONF");
bambi.s3_endpoint = '$ENV{S3_ENDPOINT}'
bambi.s3_region = '$ENV{S3_REGION}'
bambi.s3_credentials_file = '$credentials'
bambi.s3_bucket = 'pictures'
bambi.store_networks = '127.0.0.1/32'
bambi.store = 's3'
bambi.archive_store = 's3'
bambi.archive_bucket = 'attic'
bambi.archive_prefix = 'fawns/'
CONF
my @users = qw(alice bob carol);
$bambi->sign_up($_) foreach @users;
my $archive = BambiArchive->new($bambi, store => 's3',
	pictures => "$ENV{S3_ROOT}/pictures",
	archive => "$ENV{S3_ROOT}/attic/fawns");
$archive->fill(rows => 240, users => \@users);
my $generations = $bambi->sql('SELECT count(*) FROM made');

$archive->there_and_back('copy');
$bambi->sql("SELECT bambi_set_retention('content', '1 year',
	pictures => 'reference')");
$archive->there_and_back('reference');

my $table = 'image_generations';
my $before = $archive->look;
$bambi->sql("SELECT bambi_set_retention('content', '1 year',
	pictures => 'copy')");
ok($archive->send_off($table), 'a month is archived once more');
my $locked = $archive->lock_up($table, 'pictures');
ok($archive->is_stuck_at($locked),
	'its pictures cannot be read on the way back');
cmp_ok(scalar(() = $archive->files("$ENV{S3_ROOT}/pictures")), '>',
	0, 'some of which are in their bucket');
$archive->cancel($table);
ok($archive->wait_for('archived', $table), 'it is given up');
is_deeply([ $archive->files("$ENV{S3_ROOT}/pictures") ], [], 'they are gone');
$archive->open_again($locked);
ok($archive->bring_back($table), 'and restored another time');
is($archive->look, $before, 'as it was');

note "counted: $generations generations a month, 3 times into a bucket and back";
$bambi->stop;
done_testing();
