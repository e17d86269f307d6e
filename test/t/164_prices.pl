# The price list is loaded whole, thirty requests cost what the documents say
# they cost, and a new price alters nothing of the past.

use strict;
use warnings;

use BambiCluster;
use Cwd qw(abs_path);
use Test::More;

my $bambi = BambiCluster->start('prices', mock => ['--legacy']);
$bambi->lift_quota;
# elsewhere than at home models are offered that the provider has retired
$bambi->point_to_mock(qw(openai google xai));
$bambi->sign_up('ada');
$bambi->checked($bambi->add_key('ada', undef, $_))
  foreach qw(openai google xai);

# ---- every row of prices.json that has an amount

my $file = abs_path("$ENV{TESTDIR}/test/fixtures/prices.json");

# Rows of the file as rows of bambi.model_prices.  One of its names stands for
# several models, one unit has another word, Imagen is at Vertex AI, and
# gemini-2.5-flash-image has no sizes to choose from.
$bambi->sql(<<"SQL");
CREATE TABLE public.documented AS
WITH file AS (
	SELECT * FROM jsonb_to_recordset(pg_read_file('$file')::jsonb)
		x(provider text, model text, unit text, size text, quality text,
		  usd numeric))
SELECT CASE WHEN f.model LIKE 'imagen-%' THEN 'vertex' ELSE f.provider END
		AS slug,
	coalesce(s.model, f.model) AS model,
	replace(f.unit, 'text/thinking output', 'text output') AS unit,
	CASE WHEN f.model <> 'gemini-2.5-flash-image' THEN f.size END AS size,
	f.quality, f.usd
  FROM file f LEFT JOIN (VALUES ('gpt-image-2'), ('gpt-image-2.5-sunburst'),
		('gpt-image-2.5-flare'), ('gpt-image-2.6-sunburst'),
		('gpt-image-2.6-flare')) s (model)
	ON f.model = 'gpt-image-2+'
SQL
my $listed = $bambi->sql("SELECT jsonb_array_length(
	pg_read_file('$file')::jsonb)");
is($listed, 150, 'the document has its rows');
is($bambi->sql('SELECT slug, model, unit FROM public.documented
	WHERE usd IS NULL'),
	'xai|grok-imagine-image*|input image (edit)',
	'one of them is not to be loaded: nobody knows the amount');

my $loaded = "SELECT p.slug, m.model_id, r.unit, r.size, r.quality, r.price
	FROM bambi.model_prices r JOIN bambi.models m ON m.id = r.model_id
	JOIN bambi.api_providers p ON p.id = m.provider_id
	WHERE p.slug <> 'sandbox' AND r.currency = 'USD'
	  AND r.valid_from = '-infinity' AND r.valid_to = 'infinity'";
my $known = 'SELECT * FROM public.documented WHERE usd IS NOT NULL';
is($bambi->sql("$known EXCEPT ($loaded)"), '', 'all others are loaded');
is($bambi->sql("$loaded EXCEPT ($known)"), '', 'and nothing else is');
is($bambi->sql("SELECT count(*) FROM ($loaded) x"), 153,
	'each once, and the one that stands for five models five times');
my $rows = $listed - 1;

# ---- what a request will cost

my $requests = 0;

# model, parameters, characters of the prompt, dollars, how they come about
my @estimated = (
	[ 'openai/gpt-image-2', '{"size": "1024x1024", "quality": "low"}', 0,
		'0.006000', 'guide: 0.006' ],
	[ 'openai/gpt-image-2', '{"size": "1024x1024", "quality": "high"}', 0,
		'0.211000', 'guide: 0.211' ],
	[ 'openai/gpt-image-2',
		'{"size": "1536x1024", "quality": "high", "n": 4}', 0,
		'0.660000', 'guide: 4 x 0.165' ],
	[ 'openai/gpt-image-2', '{"size": "2048x2048", "quality": "medium"}', 0,
		'0.107040', '3568 tokens x 30 per million' ],
	[ 'openai/gpt-image-2', '{"size": "3840x2160", "quality": "high"}', 0,
		'0.400260', '13342 tokens x 30 per million' ],
	[ 'openai/gpt-image-2', '{"size": "1024x1024", "quality": "low"}', 400,
		'0.006500', 'guide: 0.006, and 100 tokens of text x 5 per million' ],
	[ 'openai/gpt-image-2', '{"size": "1024x1024", "quality": "low",
		"stream": true, "partial_images": 3}', 0,
		'0.015000', 'guide: 0.006 + 3 x 0.003' ],
	[ 'openai/gpt-image-2.5-sunburst',
		'{"size": "1024x1024", "quality": "xhigh"}', 0,
		'0.093660', 'measured: 3122 tokens x 30 per million' ],
	[ 'openai/gpt-image-2.5-flare',
		'{"size": "1536x1024", "quality": "max", "n": 10}', 0,
		'1.646400', '10 x 5488 tokens x 30 per million' ],
	[ 'openai/gpt-image-1.5', '{"size": "1024x1536", "quality": "medium"}', 0,
		'0.050000', 'guide: 0.05' ],
	[ 'openai/gpt-image-1-mini',
		'{"size": "1024x1024", "quality": "high", "n": 2}', 0,
		'0.072000', 'guide: 2 x 0.036' ],
	[ 'openai/dall-e-3', '{"size": "1792x1024", "quality": "hd"}', 0,
		'0.120000', 'price list of 2026-05: 0.12' ],
	[ 'openai/dall-e-2', '{"size": "256x256", "n": 5}', 0,
		'0.080000', 'price list of 2026-05: 5 x 0.016' ],
	[ 'google/gemini-nano-banana-2.1', '{"image_size": "1K"}', 0,
		'0.033600', '1120 tokens x 30 per million' ],
	[ 'google/gemini-nano-banana-2.1', '{"image_size": "2K", "n": 3}', 0,
		'0.151200', '3 x 1680 tokens x 30 per million' ],
	[ 'google/gemini-nano-banana-2.1', '{"image_size": "4K"}', 4000,
		'0.077100', '0.0756, and 1000 tokens of text x 1.5 per million' ],
	[ 'google/gemini-3-pro-image', '{"image_size": "4K"}', 0,
		'0.240000', 'pricing page: 0.24' ],
	[ 'google/gemini-3.1-flash-image', '{"image_size": "512"}', 0,
		'0.045000', 'pricing page: 0.045' ],
	[ 'xai/grok-imagine-image-2.0',
		'{"resolution": "2k", "quality": "medium", "n": 2}', 0,
		'0.160000', 'catalogue: 2 x 0.08' ],
	[ 'xai/grok-imagine-image', '{"resolution": "1k", "n": 5}', 0,
		'0.100000', 'pricing page: 5 x 0.02' ]);

foreach my $request (@estimated)
{
	my ($model, $parameters, $characters, $cost, $why) = @$request;

	is($bambi->sql_as('ada', "SELECT low, expected, high
		FROM bambi_estimate('$model', '$parameters',
			nullif(repeat('x', $characters), ''))"),
		$parameters =~ /partial/ ? "0.006000|$cost|$cost" : "$cost|$cost|$cost",
		"$model will cost $cost ($why)");
	$requests++;
}

# ---- what it did cost, by the answer

# model, parameters, pictures to edit, what the answer says; dollars, by what,
# and how they come about: tokens are text in, pictures in, pictures out, words
my @settled = (
	[ 'openai/gpt-image-2', '{"quality": "high"}', 0, 'tokens=50,0,1756,0',
		'0.052930', 'tokens', '50 x 5 + 1756 x 30' ],
	[ 'openai/gpt-image-2', '{"quality": "high"}', 1, 'tokens=20,1024,7024,0',
		'0.219012', 'tokens', '20 x 5 + 1024 x 8 + 7024 x 30' ],
	[ 'openai/gpt-image-1-mini', '{}', 0, 'tokens=100,0,272,0',
		'0.002376', 'tokens', '100 x 2 + 272 x 8' ],
	[ 'openai/gpt-image-1.5', '{}', 0, 'tokens=10,0,1056,0',
		'0.033842', 'tokens', '10 x 5 + 1056 x 32' ],
	[ 'openai/gpt-image-1.5', '{}', 1, 'tokens=10,323,1568,0',
		'0.052810', 'tokens', '10 x 5 + 323 x 8 + 1568 x 32' ],
	[ 'google/gemini-nano-banana-2.1', '{}', 0, 'tokens=10,0,1120,200',
		'0.035115', 'tokens', '10 x 1.5 + 1120 x 30 + 200 x 7.5' ],
	[ 'google/gemini-nano-banana-2.1', '{"image_size": "2K", "n": 2}', 0,
		'tokens=8,0,1680,0', '0.100824', 'tokens',
		'two calls, each 8 x 1.5 + 1680 x 30' ],
	[ 'xai/grok-imagine-image-2.0', '{}', 1, 'ticks=600000000',
		'0.060000', 'provider', '10,000,000,000 ticks are 1' ],
	[ 'xai/grok-imagine-image-2.0',
		'{"n": 3, "resolution": "2k", "quality": "medium"}', 0, 'charged=yes',
		'0.240000', 'provider', 'catalogue: 3 x 0.08' ],
	[ 'openai/dall-e-3', '{"size": "1792x1024", "quality": "hd"}', 0,
		'charged=yes', '0.120000', 'table', 'price list of 2026-05: 0.12' ]);

my $picture = $bambi->bytea($bambi->drawn({ size => '1024x1024' }));
my @ids;
foreach my $request (@settled)
{
	my ($model, $parameters, $inputs, $says) = @$request;
	my $prompt = "[[mock $says]] a fawn";

	push @ids,
	  $inputs
	  ? $bambi->edit('ada', $prompt, images => [$picture], model => $model,
		parameters => $parameters)
	  : $bambi->generate('ada', $prompt, $model, $parameters);
}
foreach my $n (0 .. $#settled)
{
	my ($model, undef, undef, undef, $cost, $source, $why) = @{ $settled[$n] };

	$bambi->wait_for_status($ids[$n], 'succeeded', "$model: a picture");
	is($bambi->column_of($ids[$n], 'cost, cost_source'), "$cost|$source",
		"that did cost $cost ($why)");
	is($bambi->sql("SELECT cost, cost_source, is_estimate, charged
		FROM bambi.usage_events WHERE generation_id = '$ids[$n]'"),
		"$cost|$source|" . ($source eq 'table' ? 't' : 'f') . '|yes',
		'and is booked so');
	$requests++;
}
is($bambi->sql_as('ada', "SELECT count(*) FROM bambi_generations
	WHERE cost_source IS NULL"), 0, 'each says where it is from');

# ---- tokens that cannot be priced

my %vague = (
	'gpt-image-2: no price of words' => 'tokens=10,0,1756,5',
	'chatgpt-image-latest: no price at all' => 'tokens=10,0,1756,0');
foreach my $case (sort keys %vague)
{
	my ($model) = $case =~ /^(.*?):/;
	my $id = $bambi->generate('ada', "[[mock $vague{$case}]] x",
		"openai/$model", '{"quality": "high", "size": "1024x1024"}');

	$bambi->wait_for_status($id, 'succeeded', $case);
	is($bambi->column_of($id, 'cost IS NOT DISTINCT FROM cost_estimate,
		cost_source'), $model eq 'gpt-image-2' ? 't|table' : 't|',
		'costs what the table says, or nobody knows what');
}

# ---- a new price

# Everything that is booked, as one text.
sub past
{
	return $bambi->sql('SELECT md5(string_agg(g::text, chr(10) ORDER BY g.id))
		FROM (SELECT id, cost_estimate, cost, cost_source
			FROM bambi.image_generations) g
		UNION ALL
		SELECT md5(string_agg(e::text, chr(10) ORDER BY e.id))
		FROM bambi.usage_events e');
}

sub set_price
{
	my ($model, $unit, $price, $more) = @_;

	$bambi->sql("SET ROLE bambi_admin; SELECT bambi_set_price('$model',
		'$unit', $price" . ($more // '') . ')');
	return;
}

my $booked = past();
my $tokens = $bambi->generate('ada', '[[mock hold tokens=0,0,1000,0]] x',
	'openai/gpt-image-2', '{"quality": "low", "size": "1024x1024"}');
my $table = $bambi->generate('ada', '[[mock hold]] x', 'openai/dall-e-3', '{}');
$bambi->wait_in_flight(2);
set_price('openai/gpt-image-2', '1M image output tokens', 60);
set_price('openai/gpt-image-2', 'image', 0.5,
	", size => '1024x1024', quality => 'low'");
set_price('openai/dall-e-3', 'image', 0.9,
	", size => '1024x1024', quality => 'standard'");
$bambi->mock('release');
$bambi->wait_for_status($tokens, 'succeeded', 'while one was running');
is($bambi->column_of($tokens, 'cost_estimate, cost, cost_source'),
	'0.006045|0.060000|tokens',
	'it has the estimate of then, and its tokens the price of the answer');
$bambi->wait_for_status($table, 'succeeded', 'and another one');
is($bambi->column_of($table, 'cost_estimate, cost, cost_source'),
	'0.040000|0.040000|table', 'which keeps what it was queued with');
$bambi->sql("DELETE FROM bambi.usage_events
	WHERE generation_id IN ('$tokens', '$table')",
	"DELETE FROM bambi_internal.queue WHERE id IN ('$tokens', '$table')",
	"DELETE FROM bambi.image_generations WHERE id IN ('$tokens', '$table')");
is(past(), $booked, 'nothing of before has changed');
is($bambi->sql_as('ada', "SELECT high FROM bambi_estimate(
	'openai/gpt-image-2', '{\"quality\": \"low\", \"size\": \"1024x1024\"}')"),
	'0.500000', 'the next one will cost more');

note "counted: $rows price rows, $requests requests";

$bambi->stop;
done_testing();
