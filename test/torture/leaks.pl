# The leak matrix of test/t/130_leaks.pl in its whole size: ROUNDS times (20 at
# most), and 2,000 looks at pg_stat_activity in each race for each of them,
# which makes 40,000 by default.

use strict;
use warnings;

use BambiLeaks;
use List::Util qw(min);
use Test::More;

my $rounds = $ENV{ROUNDS} || 2;

BambiLeaks->prove('leaks_last',
	'pg_stat_statements,auto_explain,pgaudit,bambi',
	looks => 2000 * $rounds, rounds => min($rounds, 20));
BambiLeaks->prove('leaks_first',
	'bambi,pgaudit,auto_explain,pg_stat_statements',
	looks => 2000 * $rounds, rounds => min($rounds, 20));

done_testing();
