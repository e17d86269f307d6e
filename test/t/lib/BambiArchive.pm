# BambiArchive.pm
#	A month of long ago, and what is in it, for tests of the archive.
#
#	my $archive = BambiArchive->new($bambi, pictures => $directory,
#		archive => $other_directory);
#	$archive->fill(rows => 100, users => [ 'alice', 'bob' ]);
#	my $before = $archive->look;			# everything, as text
#	$archive->send_off;						# until it is archived
#	$archive->bring_back;					# until it is restored
#	is($archive->look, $before, 'nothing is lost');
#	$archive->is_whole('the archive is as its manifests say');
#	$archive->there_and_back('copy');		# all of it, with its tests
#
# Directories are those of the archive and of the image store, whose name is
# "filesystem" or what store says, as they are on this machine's disk.

package BambiArchive;

use strict;
use warnings;

use Carp;
use Digest::SHA qw(sha256_hex);
use File::Find ();
use File::Path qw(make_path);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# Of which month, and of which tables.
our $month = '2024-05';
our @tables = qw(image_generations usage_events change_log);

sub new
{
	my ($class, $bambi, %with) = @_;

	return bless { bambi => $bambi, store => 'filesystem', %with }, $class;
}

# Where a table's month is in the archive.
sub place { return "$_[1]/$month/" }

sub manifest { return place(@_) . 'manifest.json' }

# ---- the month

# In all tables that have months.
sub make_month
{
	my ($self) = @_;

	$self->{bambi}->poll("SELECT bool_and(
			bambi_internal.has_month(parent, '$month-01')
			OR bambi_internal.make_month(parent, '$month-01', settings))
		FROM bambi_internal.monthly_tables()")
	  or croak 'the month cannot be made';
	return;
}

# Rows of each table for each of the users, evenly over the month; every third
# picture is in the image store, the others in the database.
sub fill
{
	my ($self, %with) = @_;
	my $bambi = $self->{bambi};
	my $users = join ', ', map { "'$bambi->{user}{$_}'" } @{ $with{users} };

	$self->make_month;
	$bambi->sql(
		"CREATE TABLE IF NOT EXISTS made AS
		 SELECT u.id AS user_id, n,
				(substr(bambi_uuid_floor(timestamptz '$month-01 00:00+00'
					+ n * interval '30 days' / $with{rows})::text, 1, 15)
				 || substr(gen_random_uuid()::text, 16))::uuid AS id
		   FROM unnest(ARRAY[$users]::uuid[]) WITH ORDINALITY u (id, place),
				generate_series(1, CASE place WHEN 1 THEN $with{rows}
					ELSE $with{rows} / 4 END) n",
		$self->rows_of_generations,
		$self->rows_of_pictures($self->{store}),
		"INSERT INTO bambi.usage_events (id, user_id, generation_id, attempt,
				provider_id, model_id, images, cost, usage, charged,
				created_at, is_rolled_up)
		 SELECT made.id, user_id, made.id, 1, m.provider_id, m.id, 1,
				CASE WHEN n % 7 > 0 THEN n * 0.000123 END,
				jsonb_build_object('total', n), 'yes', bambi_uuid_time(made.id),
				true
		   FROM made, (SELECT id, provider_id FROM bambi.models
						ORDER BY id LIMIT 1) m",
		"INSERT INTO bambi.change_log (id, user_id, table_name, row_key,
				operation, columns, old_values, new_values, session_role)
		 SELECT id, CASE WHEN n % 5 > 0 THEN user_id END, 'users', n::text,
				'update', ARRAY['email', 'a \"b\", c'],
				jsonb_build_object('email', E'\\u00e9\\n\"' || n), '{}',
				'postgres'
		   FROM made");
	$self->put_files;
	return;
}

sub rows_of_generations
{
	return "INSERT INTO bambi.image_generations (id, user_id, model_id,
			prompt, parameters, status, error_message, updated_at, attempts,
			progress, cost, tokens_used, started_at, finished_at, cost_source)
		SELECT made.id, user_id, m.id,
			E'a \"fawn\"\\n\\\\ \\u00e9 \\U0001f98c ' || n
			|| repeat('x', n % 5 * 400),
			jsonb_build_object('n', 1, 'price', 0.10, 'deep', '{\"a\": [1.50]}'),
			CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END,
			CASE WHEN n % 10 = 0 THEN 'it''s \"broken\"' END,
			bambi_uuid_time(made.id) + interval '1.000001 s', 1, 100,
			n * 0.000123, n, bambi_uuid_time(made.id),
			bambi_uuid_time(made.id) + interval '1.000001 s', 'provider'
		  FROM made, (SELECT id FROM bambi.models ORDER BY id LIMIT 1) m";
}

sub rows_of_pictures
{
	my ($self, $store) = @_;

	return ("CREATE TABLE IF NOT EXISTS made_pictures AS
		SELECT gen_random_uuid() AS image_id, id, user_id, n, p.position,
			   n % 3 = 0 AS is_outside,
			   decode(md5(id::text) || repeat(md5(n::text), n % 40), 'hex')
			   || p.position::text::bytea AS data
		  FROM made, generate_series(1, 1 + n % 2) p (position)
		 WHERE n % 5 = 2",
		"INSERT INTO bambi.images (id, generation_id, storage_path, width,
			height, format, created_at, user_id, position, bytes, sha256,
			store, revised_prompt)
		SELECT image_id, id, CASE WHEN is_outside THEN user_id || '/'
				|| substr(encode(sha256(data), 'hex'), 1, 2) || '/'
				|| encode(sha256(data), 'hex') || '.png' END,
			64, 64, 'png', bambi_uuid_time(id), user_id, position,
			octet_length(data), encode(sha256(data), 'hex'),
			CASE WHEN is_outside THEN '$store' ELSE 'database' END,
			E'revised\\t' || n
		  FROM made_pictures",
		"INSERT INTO bambi.image_data (image_id, user_id, data)
		SELECT image_id, user_id, data FROM made_pictures
		 WHERE NOT is_outside",
		"INSERT INTO bambi.generation_inputs (generation_id, user_id,
			position, format, width, height, bytes, data)
		SELECT id, user_id, n % 2, 'png', 1, 1, 32,
			CASE WHEN n % 4 = 0 THEN decode(md5(id::text), 'hex') END
		  FROM made WHERE n % 8 = 0");
}

# The image store's, as the courier would have put them.
sub put_files
{
	my ($self) = @_;

	foreach my $row (split /\n/, $self->{bambi}->sql("SELECT i.storage_path,
			encode(p.data, 'hex') FROM made_pictures p
			JOIN bambi.images i ON i.id = p.image_id WHERE p.is_outside"))
	{
		my ($path, $hex) = split /\|/, $row;

		$self->write_file("$self->{pictures}/$path", pack 'H*', $hex);
	}
	return;
}

# ---- what there is

# Every row and file of the month, as text.
sub look
{
	my ($self) = @_;
	my %order = (
		image_generations => 't.id', usage_events => 't.id',
		change_log => 't.id', images => 't.id', image_data => 't.image_id',
		generation_inputs => 't.generation_id, t.position');
	my @found;

	foreach my $table (sort keys %order)
	{
		my $id = $order{$table} =~ s/,.*//r;
		my $is_in = $table =~ /^image(s|_data)$/
		  ? "$id IN (SELECT image_id FROM made_pictures)"
		  : "$id IN (SELECT id FROM made)";

		push @found, "$table " . $self->{bambi}->sql("SELECT count(*),
			md5(string_agg(t::text, E'\\n' ORDER BY $order{$table}))
			FROM bambi.$table t WHERE $is_in");
	}
	push @found, 'files ' . join ' ', $self->files($self->{pictures});
	return join "\n", @found;
}

# Paths below a directory with their hashes.
sub files
{
	my ($self, $below) = @_;
	my @found;

	File::Find::find(
		sub {
			push @found, substr($File::Find::name, length($below) + 1) . ' '
			  . sha256_hex(slurp_file($_))
			  if -f $_;
		}, $below);
	return sort @found;
}

sub state_of
{
	my ($self, $table) = @_;

	return $self->{bambi}->sql("SELECT state FROM bambi_archives
		WHERE table_name = '$table' AND month = '$month-01'");
}

# An object, decompressed if it is.
sub text
{
	my ($self, $file) = @_;

	my $bytes = slurp_file($file);

	return $bytes unless $bytes =~ /^\x28\xb5\x2f\xfd/;
	my ($text) = run_command([ 'zstd', '-dcq', $file ]);
	return $text;
}

sub lines
{
	my ($self, $file) = @_;
	my $json = JSON::PP->new;	# the text is characters already

	return map { $json->decode($_) } split /\n/, $self->text($file);
}

sub write_file
{
	my ($self, $file, $bytes) = @_;

	make_path($file =~ s{/[^/]+$}{}r, { mode => 0700 });
	open my $out, '>:raw', $file or croak "$file: $!";
	print $out $bytes;
	close $out or croak "$file: $!";
	return;
}

# Everything in the archive that is not named by a manifest, or not as it says.
sub complaints
{
	my ($self) = @_;
	my $stored = $self->{archive};
	my %there = map { split / / } $self->files($stored);
	my @wrong;

	foreach my $table (@tables)
	{
		my $name = $self->manifest($table);

		delete $there{$name} or next;
		my $manifest = decode_json(slurp_file("$stored/$name"));
		my $count = 0;

		foreach my $object (@{ $manifest->{objects} })
		{
			my $sha256 = delete $there{ $object->{name} } // 'nothing';

			push @wrong, "$object->{name} is $sha256"
			  if $sha256 ne $object->{sha256};
			my @lines = $self->lines("$stored/$object->{name}");
			$count += @lines;
			push @wrong, "$object->{name} has " . @lines . ' lines'
			  if @lines != $object->{rows};
			foreach my $file (map { @{ $_->{images} // [] },
					@{ $_->{inputs} // [] } } @lines)
			{
				next unless defined $file->{object};
				$sha256 = delete $there{ $file->{object} } // 'nothing';
				push @wrong, "$file->{object} is $sha256"
				  if $sha256 ne $file->{sha256};
			}
		}
		push @wrong, "$name has $count rows" if $count != $manifest->{rows};
	}
	return (@wrong, map { "$_ is nobody's" } sort keys %there);
}

# A test of its own.
sub is_whole
{
	my ($self, $says) = @_;
	my @wrong = $self->complaints;

	return is(join("\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ]),
		'', $says);
}

# ---- there and back

sub ask_off
{
	my ($self, @which) = @_;

	$self->{bambi}->sql("SELECT bambi_archive_month('$_', '$month-01')")
	  foreach @which ? @which : @tables;
	return;
}

sub ask_back
{
	my ($self, @which) = @_;

	$self->{bambi}
	  ->sql("SELECT bambi_restore_archive('" . $self->manifest($_) . "')")
	  foreach @which ? @which : @tables;
	return;
}

# Until all of them are in a state; true if they came there.
sub wait_for
{
	my ($self, $state, @which) = @_;
	my $list = join ', ', map { "'$_'" } @which ? @which : @tables;

	return $self->{bambi}->poll("SELECT bool_and(state = '$state')
		AND NOT EXISTS (SELECT FROM bambi_internal.archive_objects o
			WHERE o.state = 'superseded' AND o.archive_id IN (
				SELECT id FROM bambi.archives
				 WHERE table_name IN ($list)))
		AND NOT EXISTS (SELECT FROM bambi_internal.outbox)
		FROM bambi_archives WHERE month = '$month-01'
		AND table_name IN ($list)");
}

# What a death has put off is tried at once.
sub hurry
{
	my ($self) = @_;

	$self->{bambi}->sql(
		'UPDATE bambi_internal.outbox SET not_before = NULL',
		'UPDATE bambi.archives SET not_before = NULL',
		'SELECT pg_reload_conf()');
	return;
}

# Whether they are now.
sub all_are
{
	my ($self, $state) = @_;

	return $self->{bambi}->sql("SELECT count(*) FROM bambi_archives
		WHERE month = '$month-01' AND state = '$state'") == @tables;
}

sub send_off
{
	my ($self, @which) = @_;

	$self->ask_off(@which);
	return $self->wait_for('archived', @which);
}

sub bring_back
{
	my ($self, @which) = @_;

	$self->ask_back(@which);
	return $self->wait_for('restored', @which);
}

# Tests of their own: all tables go to the archive, with their pictures (copy)
# or without (reference), and come back as they were.
sub there_and_back
{
	my ($self, $way) = @_;
	my $bambi = $self->{bambi};
	my $before = $self->look;
	my @files = $way eq 'copy' ? () : $self->files($self->{pictures});
	my $rows = $bambi->sql('SELECT count(*) FROM made');

	ok($self->send_off, "$way: all tables of a month are archived")
	  || diag($bambi->sql('TABLE bambi_archives'));
	is($bambi->sql("SELECT count(*) FROM bambi.image_generations
			WHERE id IN (SELECT id FROM made)"), 0, "$way: the rows are gone");
	is( $bambi->sql("SELECT count(*) FROM pg_class
			WHERE relname LIKE '%\\_2024\\_05' AND relkind = 'r'"),
		0, "$way: and the partitions");
	is_deeply([ $self->files($self->{pictures}) ],
		\@files, "$way: the image store has what is not in the archive");
	$self->is_whole("$way: the archive is what its manifests say");
	is($bambi->sql('SELECT sum(row_count) FROM bambi_archives'),
		@tables * $rows, "$way: every row is in it once");

	ok($self->bring_back, "$way: all of it is restored")
	  || diag($bambi->sql('TABLE bambi_archives'));
	is($self->look, $before,
		"$way: row by row and picture by picture as it was");
	return;
}

# ---- a month that does not come back

# Something the archive has of a month; the last of it.
sub object
{
	my ($self, $table, $condition) = @_;

	return $self->{bambi}->sql("SELECT o.name
		FROM bambi_internal.archive_objects o
		JOIN bambi.archives a ON a.id = o.archive_id
		WHERE a.table_name = '$table' AND $condition
		ORDER BY o.number DESC LIMIT 1");
}

# Asks for a month, and lets nobody read something of it once everything was
# read and compared: the last chunk, or all pictures once one is in its store
# again.  What it is.
sub lock_up
{
	my ($self, $table, $what) = @_;
	my $bambi = $self->{bambi};
	my $are_pictures = $what eq 'pictures';
	my $next = 'archive-answer-committed';

	# then nobody makes its partition, which is what comes next
	my $holder = $bambi->session('postgres');
	$holder->query_safe(
		"BEGIN; LOCK TABLE ONLY bambi.$table IN SHARE UPDATE EXCLUSIVE MODE");
	$self->ask_back($table);
	$bambi->poll("SELECT count(*) > 0 AND bool_and(o.state = 'checked')
			AND bool_and(a.is_planned)
		FROM bambi_internal.archive_objects o
		JOIN bambi.archives a ON a.id = o.archive_id
		WHERE a.table_name = '$table' AND o.kind <> 'reference'")
	  or croak $bambi->sql('TABLE bambi_archives');
	my $name = $self->object($table, "o.kind = 'lines'");
	if ($are_pictures)
	{
		$bambi->hold($next);
		$holder->query_safe('COMMIT');
		until ($self->object($table,
				"o.state = 'loaded' AND o.store IS NOT NULL"))
		{
			$bambi->wait_held($next);
			$bambi->step($next);
		}
		$name = $self->place($table) . 'pictures';
	}
	$self->close_up($name);
	$bambi->release($next);
	$holder->query_safe('COMMIT') unless $are_pictures;
	$holder->quit;
	return $name;
}

# Until the month of what cannot be read says so; that is what the name begins
# with.
sub is_stuck_at
{
	my ($self, $name) = @_;

	return $self->{bambi}->poll("SELECT count(*) = 1 FROM bambi_archives
		WHERE state = 'restoring' AND strpos(last_error, '$name') = 1");
}

# Nobody can read it.
sub close_up
{
	my ($self, $name) = @_;

	chmod 0, "$self->{archive}/$name" or croak "$name: $!";
	return;
}

sub open_again
{
	my ($self, $name) = @_;

	chmod 0700, "$self->{archive}/$name" or croak "$name: $!";
	return;
}

sub cancel
{
	my ($self, $table) = @_;

	$self->{bambi}->sql("SELECT bambi_cancel_restore('"
		  . $self->manifest($table) . "')");
	return;
}

1;
