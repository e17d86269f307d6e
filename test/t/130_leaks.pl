# No key that a client passes is found on the server, whatever is logged, in
# whatever order libraries are loaded: the matrix of BambiLeaks.  And what is
# not a key stays in the log.

use strict;
use warnings;

use BambiLeaks;
use BambiWire;
use Test::More;

my $others = 'pg_stat_statements,auto_explain,pgaudit';

BambiLeaks->prove('bambi_last', "$others,bambi", looks => 10_000);
my $leaks = BambiLeaks->prove('bambi_first', "bambi,$others", looks => 10_000);

# ---- nobody vanishes from the log

my $bambi = $leaks->bambi;
$bambi->node->start;
my $wire = BambiWire->new($bambi->node, 'bambi', 'statements');
my @statements = (
	'CREATE TEMP TABLE a (b int) -- bambi_add_key(1)',
	'CREATE TEMP TABLE c (d int) /* sk-0123456789 */ -- the end',
	'GRANT EXECUTE ON FUNCTION public.bambi_add_key(text, text, text, jsonb)'
	  . ' TO statements',
	"SELECT 'add_key' AS key_add");
$wire->query($_) foreach @statements;
my (undef, $error) = $wire->query(
	"SELECT 'sk-0123456789' FROM nowhere WHERE a = 'b'");
like($error->{M}, qr/^relation "nowhere" does not exist/,
	'an error in another statement');
$wire->query("SELECT bambi_add_key('openai', 'none of anybody', 'name')");
$wire->close;
$wire = BambiWire->new($bambi->node, 'bambi', 'durations');
$wire->bound('SELECT bambi_add_key($1, $2, $3)', 'openai', 'x' x 20, 'name');
# the second time by a plan that is kept, so nothing is analysed
$wire->query("CALL keep_key('nothing-like-a-key', 'wrapped $_')")
  foreach 1 .. 3;
$wire->close;
$leaks->stop;
my $log = $leaks->log_text;

(my $withheld = $statements[1]) =~ s/sk-\d+/<withheld>/;
$statements[1] = $withheld;
like($log, qr/LOG:  statement: \Q$_\E$/m, "is logged: $_")
  foreach @statements;
like($log, qr/ERROR:\ \ relation\ "nowhere"\ does\ not\ exist\n.*
	STATEMENT:\s+\QSELECT '<withheld>' FROM nowhere WHERE a = 'b'\E/xs,
	'is logged but for the key, with its statement');
like($log, qr/LOG:  <withheld>$/m, 'a call leaves a line');
like($log, qr/LOG:  duration: [\d.]+ ms  <withheld>$/m, 'with its duration');
like($log, qr/ERROR:  <withheld>, SQLSTATE 22023$/m,
	'an error leaves its severity and SQLSTATE');

unlike($log, qr/nothing-like-a-key/,
	'a wrapper is withheld as soon as it has called, each time');

done_testing();
