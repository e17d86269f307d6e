# People who are erased: of half of the users nothing is found anywhere
# afterwards, whoever died meanwhile; of the others all is there.
#
# Environment: USERS, how many there are (50).

use strict;
use warnings;

use BambiArchive;
use BambiCluster;
use BambiRedis;
use File::Find ();
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $count = $ENV{USERS} || 50;
my $pictures = PostgreSQL::Test::Utils::tempdir('pictures');
my $stored = PostgreSQL::Test::Utils::tempdir('archive');
my $bambi = BambiCluster->start('erasure', conf => <<"CONF");
bambi.store = 'filesystem'
bambi.store_directory = '$pictures'
bambi.archive_store = 'filesystem'
bambi.archive_directory = '$stored'
bambi.link_url = 'http://localhost/rpc/bambi_image_by_link'
CONF
my $redis = BambiRedis->start("$bambi->{dir}/redis");
my $archive = BambiArchive->new($bambi, pictures => $pictures,
	archive => $stored);
my %counted = (rows => 0, files => 0, keys => 0, kills => 0);

$redis->connect_to($bambi);
$redis->wait_until_written($bambi);
$bambi->lift_quota;
$bambi->sql("UPDATE bambi.plans SET store = 'database'
	WHERE plan_type = 'premium'");
$bambi->poll('SELECT EXISTS (SELECT FROM bambi.encryption_keys
	WHERE is_current)') or die 'there is no sealing key';

# ---- users, each with a word of its own in everything

my @users = map { sprintf 'zq%03dkanari', $_ } 1 .. $count;
my %id;
my (@gone, @stay);
push @{ $_ % 2 ? \@gone : \@stay }, $users[$_] foreach 0 .. $#users;

# As each of some users, in one session.
sub as_all
{
	my ($who, $code) = @_;

	return $bambi->sql(join "\n",
		map { "SET bambi.user_id = '$id{$_}';\n" . $code->($_) } @$who);
}

foreach my $line (split /\n/, $bambi->sql(
		"INSERT INTO bambi.users (email, auth_provider, auth_provider_id)
		 SELECT n || '\@example.com', 'oauth', n
		   FROM unnest('{" . join(',', @users) . "}'::text[]) n
		 RETURNING auth_provider_id || ' ' || id"))
{
	my ($name, $id) = split / /, $line;
	$id{$name} = $id;
}
my $number = 0;
as_all(\@users, sub {
		my ($u) = @_;
		my $store = $number++ % 4 < 2 ? 'premium' : 'free';
		my $event = encode_json({
			id => "evt_$u", type => 'customer.subscription.created',
			created => time, livemode => JSON::PP::false,
			data => { object => {
				id => "sub_$u", customer => "cus_$u", status => 'active',
				metadata => { user_id => $id{$u} },
				items => { data => [ { price => { id => "price_$u" } } ] } } }
		});
		return <<"SQL";
INSERT INTO bambi.stripe_prices (price, plan_type) VALUES ('price_$number', '$store');
SELECT bambi_internal.stripe_receive(replace(\$e\$$event\$e\$, 'price_$u', 'price_$number'), false);
SELECT bambi_add_key('openai', 'sk-test-$u', 'key $u', '{}');
SELECT bambi_consent('processing', true, '$u 1');
SELECT bambi_consent('$u', true, '2');
SQL
	});
# The log has what was before and what it became.
$bambi->sql(
	"UPDATE bambi.users SET email = 'new' || email WHERE email ~ 'kanari'",
	"UPDATE bambi.api_configurations
		SET settings = jsonb_build_object('note', name),
			last_error = name WHERE name ~ 'kanari'");

# ---- what they have: pictures with the word in their metadata, a failure with
# its input, something unknown

my $hold = '[[mock hold]]';
my $quick = '{"quality": "low", "size": "1024x1024"}';

sub ask
{
	my ($u, $prompt, $more) = @_;

	return "SELECT bambi_generate('$prompt $u', 'openai/gpt-image-2',
		'$quick'" . ($more // '') . ");\n";
}

as_all(\@users, sub {
		my ($u) = @_;
		my $word = "[[mock comment=$u]]";
		my $png = $bambi->bytea($bambi->drawn({ prompt => "x $word" }));

		return ask($u, "a fawn $word", ", idempotency_key => '$u once'")
		  . ask($u, "another $word")
		  . "SELECT bambi_edit('[[mock block=x]] $u', ARRAY[$png],
				model => 'openai/gpt-image-2',
				parameters => '{\"quality\": \"low\"}');";
	});
ok($bambi->poll('SELECT NOT EXISTS (SELECT FROM bambi_internal.queue)'),
	'everybody has pictures');
is($bambi->sql("SELECT string_agg(status || ' ' || n, ', ' ORDER BY status)
		FROM (SELECT status, count(*) AS n FROM bambi.image_generations
			GROUP BY status) s"),
	"failed $count, succeeded " . 2 * $count,
	'and a failure, whose input is kept');
as_all([ @gone[ 0, 1 ], @stay[ 0, 1 ] ],
	sub { return ask($_[0], '[[mock reset=after]]') });
ok($bambi->poll("SELECT count(*) = 4 FROM bambi.image_generations
		WHERE status = 'uncertain'"),
	'of some calls nobody knows');

$bambi->sql(
	"UPDATE bambi.images i SET revised_prompt = u.auth_provider_id
	   FROM bambi.users u WHERE u.id = i.user_id",
	"UPDATE bambi.image_generations g
	    SET parameters = parameters
			|| jsonb_build_object('style', u.auth_provider_id)
	   FROM bambi.users u WHERE u.id = g.user_id");
cmp_ok($bambi->sql('SELECT count(*) FROM bambi.image_data'),
	'>', 0, 'some pictures are in the database');
as_all(\@users, sub { return 'SELECT bambi_set_budget(1000);' });

# ---- and what is in the archive

$archive->make_month;
$bambi->sql(
	"CREATE TABLE made AS
	 SELECT u.id AS user_id, u.auth_provider_id AS word,
			(substr(bambi_uuid_floor('$BambiArchive::month-10')::text, 1, 15)
			 || substr(gen_random_uuid()::text, 16))::uuid AS id,
			gen_random_uuid() AS image_id
	   FROM bambi.users u",
	"INSERT INTO bambi.image_generations (id, user_id, model_id, prompt,
			status, finished_at)
	 SELECT made.id, user_id, m.id, word, 'succeeded', bambi_uuid_time(made.id)
	   FROM made, bambi.models m WHERE m.model_id = 'sandbox'",
	"INSERT INTO bambi.images (id, generation_id, user_id, width, height,
			format, bytes, sha256, store, revised_prompt)
	 SELECT image_id, id, user_id, 1, 1, 'png', length(word),
			encode(sha256(word::bytea), 'hex'), 'database', word FROM made",
	"INSERT INTO bambi.image_data (image_id, user_id, data)
	 SELECT image_id, user_id, word::bytea FROM made",
	"INSERT INTO bambi.change_log (id, user_id, table_name, row_key,
			operation, columns, old_values, new_values, session_role)
	 SELECT id, user_id, 'users', user_id, 'update', '{email}',
			jsonb_build_object('email', word), '{}', 'postgres' FROM made",
	"INSERT INTO bambi.usage_events (id, user_id, generation_id, cost,
			is_rolled_up)
	 SELECT id, user_id, id, 1, true FROM made",
	'DROP TABLE made');
$archive->ask_off;
ok($archive->wait_for('archived'), 'there is a month in the archive');

# Once more after the columns were filled: the planner has seen them.
$bambi->sql('ANALYZE');

# ---- a copy of all that, with links that work

my $copy = decode_json(
	$bambi->sql("SET bambi.user_id = '$id{$gone[2]}'; SELECT bambi_export_my_data()"));
is(scalar(@{ $copy->{data}{image_generations} }), 3, 'the copy has it all');
my @links = map { $_->{link} } @{ $copy->{data}{images} };
is(scalar(grep { defined && /token=/ } @links), 2, 'with links');
my ($token) = $links[0] =~ /token=(.*)/;
is( $bambi->sql("SELECT encode(sha256(bambi_image_by_link('$token')), 'hex')"),
	$bambi->sql("SET bambi.user_id = '$id{$gone[2]}';
		SELECT encode(sha256(bambi_image('$copy->{data}{images}[0]{generation_id}')), 'hex')"),
	'that lead to the pictures');
cmp_ok(scalar(@{ $copy->{data}{archives} }), '>=', 3,
	'it names the months in the archive');
unlike(encode_json($copy), qr/encrypted_api_key|password_hash|key_hint/,
	'and without secrets');

# ---- where words are looked for

# In every table, statistics too, as text, hex and base64; in every file of
# pictures and spool, the server's log, and every value in Redis.
sub traces
{
	my (@words) = @_;
	my @patterns;
	my %found;

	foreach my $word (@words)
	{
		push @patterns, quotemeta $word, unpack('H*', $word);
		foreach my $shift (0 .. 2)
		{
			my $text = encode_base64(('x' x $shift) . $word, '');
			push @patterns, quotemeta substr $text, 4, length($text) - 8;
		}
	}
	my $pattern = join '|', @patterns;
	my $look = sub {
		my ($where, $text) = @_;
		$found{$where}++ while $text =~ /$pattern/g;
	};

	my ($dump, $error) = run_command(
		[ 'pg_dump', '-d', $bambi->node->connstr('bambi') ]);
	my $table = 'something else';
	foreach my $line (split /\n/, $dump)
	{
		$table = $1 if $line =~ /^COPY (\S+)/;
		$counted{rows}++;
		$look->("table $table", $line);
	}
	$look->('statistics',
		$bambi->sql('SELECT s::text FROM pg_statistic s'));
	File::Find::find(
		sub {
			return unless -f $_;
			$counted{files}++;
			$look->("file $File::Find::name", slurp_file($_));
			$look->("file $File::Find::name", $_);
		},
		$pictures, $bambi->spool);
	$look->('log', slurp_file($bambi->node->logfile));
	foreach my $key (@{ $redis->cmd('KEYS', '*') })
	{
		$counted{keys}++;
		$look->("Redis $key", $key . ($redis->cmd('TYPE', $key) eq 'string'
				? $redis->cmd('GET', $key) // '' : ''));
	}
	File::Find::find(
		sub {
			return unless -f $_;
			$counted{files}++;
			$look->("archive $File::Find::name",
				"$_ " . $archive->text($File::Find::name));
		},
		$stored);
	return \%found;
}

# What the others have, by table.
sub belongings
{
	my @tables = split /\n/, $bambi->sql(
		"SELECT relation FROM bambi.data_classes WHERE column_name = 'user_id'
			AND relation !~ 'previews|queue|outbox|erasure' ORDER BY relation");
	my $ids = join ',', map { "'$id{$_}'" } @stay;

	return $bambi->sql(join ' UNION ALL ',
		map { "(SELECT '$_', count(*), md5(string_agg(t::text, '' ORDER BY t::text))
			FROM $_ t WHERE user_id IN ($ids))" } @tables);
}

my $before = traces(@gone);
cmp_ok(scalar(keys %$before), '>', 15, 'the words are everywhere before')
  or diag(explain $before);
diag(explain $before) if $ENV{VERBOSE};
cmp_ok(scalar(grep { /^file \Q$pictures\E/ } keys %$before),
	'>=', @gone / 2, 'in pictures that providers made, too');
my $had = belongings();

# ---- erasing, while calls run and processes die

my @running = @gone[ 0 .. ($#gone < 4 ? $#gone : 4) ];
as_all(\@running, sub { return ask($_[0], $hold) });
as_all(\@gone, sub { return ask($_[0], 'delay [[mock delay=300]]') });
$bambi->wait_until('calls that run',
	sub { return $bambi->mock_stats->{in_flight} >= @running });
$bambi->hold('erase-before-commit');
as_all([ @gone[ 1 .. $#gone ] ], sub { return 'SELECT bambi_erase_me();' });
$bambi->sql("SELECT bambi_erase_user('$id{$gone[0]}')");
my $refused;
$bambi->node->psql(
	'bambi',
	"SET bambi.user_id = '$id{$gone[3]}'; SELECT bambi_generate('x')",
	stderr => \$refused);
like($refused, qr/not signed in/, 'who asked for it is signed in no more');
$bambi->kill9($bambi->wait_held('erase-before-commit'));
$counted{kills}++;
$bambi->release('erase-before-commit');
$bambi->wait_for_server;
$bambi->kill9($bambi->courier_pid);
$counted{kills}++;
$bambi->mock('release');
foreach my $round (1 .. 2)
{
	my $point = $round == 1 ? 'erase-committed' : 'errands-before-commit';

	$bambi->hold($point);
	my $pid = $bambi->held_or($point, sub {
			return $bambi->sql("SELECT count(*) FROM bambi.erasure_requests
				WHERE state = 'done'") == @gone;
		});

	$bambi->kill9($pid) if $pid;
	$bambi->release($point);
	last unless $pid;
	$bambi->wait_for_server;
	$counted{kills}++;
}
$redis->wait_until_written($bambi);

ok($bambi->poll("SELECT count(*) = " . @gone . " FROM bambi.erasure_requests
		WHERE state = 'done'"),
	'all of them are erased in the end')
  or diag($bambi->sql('SELECT state, last_error, report
		FROM bambi.erasure_requests WHERE state <> \'done\''));
is( $bambi->sql("SELECT count(*) FROM bambi.erasure_requests e,
		jsonb_each(e.report) p
		WHERE (p.value ->> 'remaining')::int > 0"),
	0, 'by their reports nothing remains');
is($bambi->sql("SELECT count(*) FROM bambi.erasure_requests
		WHERE report ?& '{images, image_generations, spool, cache, archives,
			objects, change_log, stripe_events}'"),
	scalar(@gone), 'which name every place');

# ---- nothing is found, and nothing else is lost

is_deeply(traces(@gone), {}, 'of the erased no trace is found');
is(belongings(), $had, 'of the others all is there');
$archive->is_whole('the archive is what its manifests say');
my $kept = traces(@stay);
cmp_ok(scalar(grep { /^table/ } keys %$kept), '>', 10,
	'where it was before');
cmp_ok(scalar(grep { /^archive/ } keys %$kept), '>=', 2,
	'in the archive, too');
is( $bambi->sql("SELECT count(*) FROM bambi.users WHERE erased_at IS NOT NULL
		AND NOT is_active AND email IS NULL"),
	scalar(@gone), 'a row of each stays, which names nobody');
cmp_ok($bambi->sql("SELECT count(*) FROM bambi.usage_events e
		JOIN bambi.users u ON u.id = e.user_id
		WHERE u.erased_at IS NOT NULL AND e.request_type <> 'validate'"),
	'>=', 2 * @gone + 2, 'with what was paid');

# ---- an answer that comes when nobody is there any more

my $late = $bambi->sign_up('late');
$bambi->add_key('late');
my $running = $bambi->generate('late', $hold);
$bambi->wait_in_flight(1);
$bambi->sql("DELETE FROM bambi.users WHERE id = '$late'");
$bambi->mock('release');
ok($bambi->poll("SELECT NOT EXISTS (SELECT FROM bambi_internal.outbox
		WHERE user_id = '$late') AND in_flight = 0 FROM bambi_status()"),
	'an answer too late is settled as nothing');
$bambi->wait_until('the end of its file', sub {
		my $files = 0;
		File::Find::find(
			sub { $files++ if -f $_ && $File::Find::name =~ /$late/ },
			$pictures);
		return $files == 0;
	});
pass('and its picture is erased');

note "counted: $count users, ", scalar(@gone), " erased; looked for ",
  "in $counted{rows} rows, $counted{files} files and $counted{keys} keys of ",
  "Redis; $counted{kills} kills";
done_testing();
