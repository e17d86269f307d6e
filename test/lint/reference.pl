#!/usr/bin/perl
#
# reference.pl
#	Proves that docs/reference.md knows what the code has: every function,
#	view, table and column, setting, SQLSTATE with its messages, error code of
#	a generation, and option of the courier; and that it knows nothing else.
#	And that docs/architecture.md has each rule that a comment cites.
#
# Usage: reference.pl [TOP]
#
# Prints TAP.  A kind of which the code has none fails: then this file looks
# in the wrong place.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;

my $top = shift // File::Spec->rel2abs(dirname($0) . "/../..");
chdir $top or die "$top: $!";

my ($number, $bad) = (0, 0);

# One rule: what it says, and what breaks it.
sub rule
{
	my ($says, @offenders) = @_;

	$number++;
	$bad++ if @offenders;
	print @offenders ? "not ok" : "ok", " $number - $says\n";
	print "#   $_\n" foreach @offenders;
}

sub slurp
{
	my $text = '';

	foreach my $file (@_)
	{
		open my $in, '<', $file or die "$file: $!";
		local $/;
		$text .= <$in> . "\n";
	}
	return $text;
}

sub unique
{
	my %seen;

	return sort grep { !$seen{$_}++ } @_;
}

# Those that a test does not find, or a complaint that there are none at all.
sub missing
{
	my ($is_known, @names) = @_;

	return ('the code has none') unless @names;
	return grep { !$is_known->($_) } unique(@names);
}

my $reference = slurp('docs/reference.md');
my $sql = slurp(sort glob('sql/functions/*.sql sql/tables/*.sql'));
my $extension = slurp(sort glob('src/extension/*.c'));
my $faults = slurp('src/courier/fault.c');
my $courier = slurp('src/courier/main.c');

# SQL without comments, so that a name in one is no object
(my $bare = $sql) =~ s/--[^\n]*//g;

# Section of each heading; a function's heading begins with its name.
my %section;
foreach my $part (split /^(?=#{2,4} )/m, $reference)
{
	$section{$1} = $part if $part =~ /^#+ `([a-z_.0-9]+)/;
}

sub is_word
{
	my $name = shift;

	return $reference =~ /(?<![\w.])\Q$name\E(?!\w)/;
}

# ---- what the code has

my @functions =
  $bare =~ /CREATE (?:OR REPLACE )?FUNCTION\s+\@extschema\@\.(\w+)/g;
my @internal =
  $bare =~ /CREATE (?:OR REPLACE )?FUNCTION\s+bambi_internal\.(\w+)/g;
my @views = $bare =~
  /CREATE (?:OR REPLACE )?VIEW\s+(?:\@extschema\@\.)?(bambi_[\w.]+)/g;
my @tables = $bare =~ /CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?\s*(bambi\w*\.\w+)/g;
my @settings = $extension =~ /(?:DefineCustom\w+Variable|define_text)\("(bambi\.\w+)"/g;
my @roles = $bare =~ /'(bambi_(?:owner|user|service|admin))'/g;

my %columns;
while ($sql =~ /COMMENT ON COLUMN (?:\@extschema\@\.)?([\w.]+)\.(\w+)\s+IS/g)
{
	push @{ $columns{$1} }, $2;
}

my @states = $extension =~ /^\s*\[BAMBI_\w+\] = \{"(\w{5})"/mg;
my @messages = $extension =~ /
	(?: bambi_refuse\(BAMBI_(?:NOT_FOUND|WRONG_STATE|TRY_LATER|FORBIDDEN)
	  | refuse_(?:key|model)\( )
	,? \s* "( [^"%]+ )"/xg;
push @messages, $extension =~ /\{"PT\d\d\d",\s*"([^"]+)"\}/g;

# what only stands in for a message that the caller must bring
@messages = grep { $_ ne 'does not exist' && $_ ne 'wrong state' } @messages;

my @codes = $faults =~ /\[FAULT_\w+\] = "(\w+)"/g;
push @codes, $extension =~ /error_code = '(\w+)'/g;
push @codes, $extension =~ /RESULT_\w+, "(\w+)"/g;
my @advised = slurp('sql/tables/12_errors.sql') =~ /^    \('(\w+)', '\{/mg;
my %is_advised = map { $_ => 1 } @advised;
my @options = $courier =~ /"(--[a-z-]+)"/g;

# ---- the reference has it

rule('every function has its heading',
	missing(sub { $section{ $_[0] } }, @functions));
rule('every internal function is named',
	missing(sub { $reference =~ /`\Q$_[0]\E[`(]/ }, @internal));
rule('every view has its heading',
	missing(sub { $section{ $_[0] } }, @views));
rule('every table has its heading',
	missing(sub { $section{ $_[0] } }, @tables));

my @forgotten;
foreach my $relation (sort keys %columns)
{
	push @forgotten, map { "$relation.$_" }
	  grep { ($section{$relation} // '') !~ /^\| `$_` \|/m }
	  @{ $columns{$relation} };
}
push @forgotten, 'the code has none' unless %columns;
rule('every column of a table or view is in its section', @forgotten);

rule('every setting has its row',
	missing(sub { $reference =~ /^\| `\Q$_[0]\E`/m }, @settings));
rule('every SQLSTATE has its row',
	missing(sub { $reference =~ /^\| `\Q$_[0]\E` \|/m }, @states));
rule('every message that clients compare is there',
	missing(sub { $reference =~ /`\Q$_[0]\E`/ }, @messages));
rule('every error code of a generation has its row',
	missing(sub { $reference =~ /^\| `\Q$_[0]\E` \|/m }, @codes, @advised));
rule('every error code of a generation is in bambi.error_codes',
	missing(sub { $is_advised{ $_[0] } }, @codes));
rule('every option of bambi-courier is named',
	missing(sub { $reference =~ /`bambi-courier \Q$_[0]\E/ }, @options));
rule('every role is named', missing(\&is_word, @roles));

# ---- and nothing else

my %is_real = map { $_ => 1 } @functions, @views, @tables, @roles, @settings;
rule('no heading is about what does not exist',
	grep { !$is_real{$_} } sort keys %section);
rule(
	'no function, view or setting is named that does not exist',
	grep { !$is_real{$_} && $_ ne 'bambi_internal' } unique(
		$reference =~ /`(bambi_[a-z_0-9]+)/g,
		$reference =~ /^\| `(bambi\.[a-z_]+)`/mg));

# ---- rules

# with no lines of comments in between: "rules N1 to N3 and D5"
(my $code = slurp(map { glob("$_/*.[ch]") }
		qw(src/protocol src/extension src/courier src/courier/*))) =~
  s/\s*\n\s*\*?\s*/ /g;
my @cited;
foreach my $list ("$code $sql" =~
	/\brules? ([A-Z]\d+(?:(?:,| and| to) [A-Z]\d+)*)/gi)
{
	$list =~ s/([A-Z])(\d+) to \1(\d+)/join ' ', map { "$1$_" } $2 .. $3/ge;
	push @cited, $list =~ /([A-Z]\d+)/g;
}
my @given = slurp('docs/architecture.md') =~ /^- \*\*([A-Z]\d+)\.\*\*/mg;
my %is_given = map { $_ => 1 } @given;
my %is_cited = map { $_ => 1 } @cited;
rule('every rule that a comment cites is in architecture.md',
	missing(sub { $is_given{ $_[0] } }, @cited));
rule('and no other',
	missing(sub { $is_cited{ $_[0] } }, @given));

print "1..$number\n";
exit($bad ? 1 : 0);
