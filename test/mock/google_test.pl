#!/usr/bin/env perl
#
# google_test.pl
#	Proves that the mock provider speaks Google's protocols, by all three ways
#	in, and believes no JWT that is not signed.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use MIME::Base64 qw(decode_base64 encode_base64 encode_base64url);
use MockTest;
use Test::More;

start_mock('--legacy');

my $model = 'gemini-nano-banana-2.1';
my %key = ('x-goog-api-key' => 'AIza-test');

sub content
{
	my ($prompt, %image) = @_;
	return { contents => [ { role => 'user', parts => [ { text => $prompt } ] } ],
		generationConfig =>
		  { responseModalities => ['IMAGE'], imageConfig => \%image } };
}

sub gemini
{
	my ($body, $headers, $name) = @_;
	return ask('POST', '/google/v1beta/models/' . ($name // $model)
		  . ':generateContent', $headers // \%key, $body);
}

sub parts
{
	return @{ shift->{json}{candidates}[0]{content}{parts} };
}

sub picture
{
	my ($inline) = grep { $_->{inlineData} && !$_->{thought} } parts(shift);
	return decode_base64($inline->{inlineData}{data});
}

sub error_of
{
	my $error = $_[0]{json}{error};
	return join ' ', $_[0]{status}, $error->{code}, $error->{status},
	  $error->{details} ? $error->{details}[0]{reason} : '-';
}

# ---- Gemini API

my $answer = gemini(content('a fawn'));
is($answer->{status}, 200, 'a generation is answered');
is((parts($answer))[0]{inlineData}{mimeType}, 'image/jpeg', 'with a JPEG');
like(picture($answer), qr/^\xff\xd8\xff.*\xff\xd9$/s, 'that is one');
my $usage = $answer->{json}{usageMetadata};
is("@$usage{qw(promptTokenCount candidatesTokenCount totalTokenCount)}",
	'2 1120 1122', 'and its usage');
ok($answer->{json}{responseId}, 'and an id');
my ($entry) = ledger();
is("@$entry{qw(provider model n)}", "google $model 1", 'ledger: it is there');
is(gemini(content('x', imageSize => '2K', aspectRatio => '16:9'))
	->{json}{usageMetadata}{candidatesTokenCount}, 1680, '2K costs more');
is(gemini({ contents => [ { parts => [ { text => 'x' } ] } ],
			generation_config => { image_config => { image_size => '1K' } } })
	->{status}, 200, 'snake case is understood, and a missing role');

my $jpeg = picture($answer);
$answer = gemini({ contents => [ { role => 'user', parts => [
				{ text => 'a hat' }, { inlineData => { mimeType => 'image/jpeg',
						data => encode_base64($jpeg, '') } } ] } ],
		generationConfig => { responseModalities => [ 'TEXT', 'IMAGE' ] } });
is_deeply((ledger())[-1]{inputs}, [ substr sha256_hex($jpeg), 0, 12 ],
	'ledger: the bytes of the picture to edit');
is(scalar(grep { $_->{text} } parts($answer)), 1, 'words come if asked for');
my @interim = parts(gemini(content('x [[mock thought]]')));
ok($interim[0]{thought} && !$interim[1]{thought},
	'an interim picture may come first');
isnt($interim[0]{inlineData}{data}, $interim[1]{inlineData}{data},
	'and is another one');

is(ask('POST', "/google/v1/models/$model:countTokens", \%key, content('abcd'))
	->{json}{totalTokens}, 1, 'tokens are counted');
is(ask('POST', "/google/v1/models/$model:generateContent?key=AIza-test", {},
		content('x'))->{status}, 200, 'the key may stand in the query');
ok((ledger())[-1]{key} eq $entry->{key}, 'ledger: it is the same key');
$answer = ask('GET', '/google/v1/models?pageSize=1', \%key);
is(scalar @{ $answer->{json}{models} }, 1, 'models are listed, by pages');
ok($answer->{json}{nextPageToken}, 'and there is another page');
is($answer->{json}{models}[0]{name}, "models/$model", 'with their names');

# ---- refusals

control('reset');

sub refused
{
	my ($wanted, $name, $refusal) = @_;
	is(error_of($refusal), $wanted, "$name is refused");
}

refused('400 400 INVALID_ARGUMENT API_KEY_INVALID', 'a wrong key',
	gemini(content('x'), { 'x-goog-api-key' => 'sk-test' }));
refused('401 401 UNAUTHENTICATED ACCESS_TOKEN_TYPE_UNSUPPORTED',
	'a wrong key of the newer kind',
	gemini(content('x'), { 'x-goog-api-key' => 'AQ.invalid' }));
refused('403 403 PERMISSION_DENIED -', 'no key', gemini(content('x'), {}));
refused('400 400 INVALID_ARGUMENT -', 'key and token together',
	gemini(content('x'), { %key, authorization => 'Bearer x' }));
refused('404 404 NOT_FOUND -', 'a model that is gone',
	gemini(content('x'), \%key, 'gemini-2.5-flash-image'));
refused('404 404 NOT_FOUND -', 'a model that only Vertex has',
	gemini(content('x'), \%key, 'gemini-3.1-flash-image'));
refused('400 400 INVALID_ARGUMENT -', 'a shape',
	gemini(content('x', aspectRatio => '7:3')));
refused('400 400 INVALID_ARGUMENT -', 'a size',
	gemini(content('x', imageSize => '2k')));
refused('400 400 INVALID_ARGUMENT -', '2K of the lite model',
	gemini(content('x', imageSize => '2K'), \%key,
		'gemini-3.1-flash-lite-image'));
refused('400 400 INVALID_ARGUMENT -', 'what only Vertex knows',
	gemini(content('x', personGeneration => 'ALLOW_ALL')));
refused('400 400 INVALID_ARGUMENT -', 'no contents', gemini({}));
refused('400 400 INVALID_ARGUMENT -', 'two candidates',
	gemini({ %{ content('x') }, generationConfig => { candidateCount => 2 } }));
refused('400 400 INVALID_ARGUMENT -', 'a text as picture',
	gemini({ contents => [ { parts => [ { inlineData =>
							{ mimeType => 'image/png', data => 'AAAA' } } ] } ] }));
refused('404 404 NOT_FOUND -', 'a method', ask('POST',
		"/google/v1/models/$model:paint", \%key, content('x')));
refused('400 400 INVALID_ARGUMENT MOCK_DIRECTIVE', 'a misspelt directive',
	gemini(content('x [[mock blok=SAFETY]]')));
is(stats()->{charged}, 0, 'no refusal is charged');

# ---- blocks

control('reset');
$answer = gemini(content('x [[mock block=PROHIBITED_CONTENT]]'));
is($answer->{status}, 200, 'a blocked prompt is a 200');
is($answer->{json}{promptFeedback}{blockReason}, 'PROHIBITED_CONTENT',
	'with its reason');
ok(!exists $answer->{json}{candidates}, 'and no candidates');
$answer = gemini(content('x [[mock finish=IMAGE_SAFETY]]'));
is($answer->{json}{candidates}[0]{finishReason}, 'IMAGE_SAFETY',
	'so is a blocked picture');
ok(!exists $answer->{json}{candidates}[0]{content}, 'which is not there');
like((parts(gemini(content('x [[mock finish=NO_IMAGE]]'))))[0]{text},
	qr/cannot draw/, 'or the model says that it will not');
is(join(' ', map { $_->{charged} ? 'paid' : 'free' } ledger()),
	'free paid paid', 'what was drawn is paid');

# ---- Vertex with a key

sub express
{
	my ($prompt, %image) = @_;
	return ask('POST', '/vertex/v1beta1/publishers/google/models/'
		  . "$model:generateContent", \%key, content($prompt, %image));
}

$answer = express('x', personGeneration => 'ALLOW_ADULT',
	imageOutputOptions => { mimeType => 'image/jpeg',
		compressionQuality => 80 });
is((parts($answer))[0]{inlineData}{mimeType}, 'image/jpeg',
	'Vertex draws the format that is asked for');
is(png_size(picture(express('x'))), '1024x1024', 'or a PNG');
is((ledger())[-1]{provider}, 'vertex', 'ledger: provider');
is(ask('POST', "/vertex/v1/publishers/google/models/$model:generateContent",
		\%key, { contents => [ { parts => [ { text => 'x' } ] } ] })->{status},
	400, 'a role is needed there');
is(ask('POST', '/vertex/v1/publishers/google/models/imagen-4.0-generate-001'
		  . ':predict', \%key, {})->{status}, 404, 'Imagen is not there');

# ---- Vertex with a service account

sub run
{
	my ($input, @command) = @_;
	open my $f, '>', "$scratch/input" or die $!;
	print $f $input;
	close $f;
	my $output = `@command <$scratch/input`;
	die "@command failed" if $?;
	return $output;
}

my ($right, $wrong) = ("$scratch/right.pem", "$scratch/wrong.pem");
run('', "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 "
	  . "-out $_") foreach $right, $wrong;
my $email = 'painter@p1.iam.gserviceaccount.com';

sub register
{
	return control('service-account', { client_email => $email,
			public_key => run('', "openssl pkey -pubout -in $right"), @_ });
}

sub jwt
{
	my ($pem, $head, %claims) = @_;
	my $now = time;
	my $text = join '.', map { encode_base64url(encode_json($_)) }
	  { alg => 'RS256', typ => 'JWT', %$head },
	  { iss => $email, iat => $now, exp => $now + 3600,
		scope => 'https://www.googleapis.com/auth/cloud-platform',
		aud => "$base/vertex/token", %claims };
	return "$text." . encode_base64url(run($text,
			"openssl dgst -sha256 -sign $pem -binary"));
}

sub exchange
{
	my ($jwt) = @_;
	return ask('POST', '/vertex/token',
		{ 'content-type' => 'application/x-www-form-urlencoded' },
		'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer'
		  . "&assertion=$jwt");
}

sub in_project
{
	my ($token, $project, $method, $body) = @_;
	return ask('POST', "/vertex/v1/projects/$project/locations/global/"
		  . 'publishers/google/models/' . ($method // "$model:generateContent"),
		{ authorization => "Bearer $token" }, $body // content('x'));
}

is(exchange(jwt($right, {}))->{json}{error_description},
	'Invalid grant: account not found', 'a stranger gets no token');
is(register(public_key => 'x')->{status}, 400, 'an account needs a key');
is(register(project_id => 'p1')->{status}, 200, 'an account is registered');
$answer = exchange(jwt($right, {}));
is($answer->{status}, 200, 'a signed JWT gives a token');
is($answer->{json}{expires_in}, 3599, 'for an hour');
my $token = $answer->{json}{access_token};
is(in_project($token, 'p1')->{status}, 200, 'with which one may generate');
is(error_of(in_project($token, 'p2')),
	'403 403 PERMISSION_DENIED IAM_PERMISSION_DENIED', 'in its project');
is(error_of(in_project('ya29.other', 'p1')),
	'401 401 UNAUTHENTICATED ACCESS_TOKEN_EXPIRED', 'not so with another');
is(error_of(ask('POST', '/vertex/v1/projects/p1/locations/global/publishers/'
			  . "google/models/$model:generateContent", \%key, content('x'))),
	'401 401 UNAUTHENTICATED CREDENTIALS_MISSING', 'nor with a key');
is(exchange(jwt($right, {}, aud => 'https://oauth2.googleapis.com/token'))
	->{status}, 200, 'the audience may be the real one');
is(stats()->{token_exchanges}, 2, 'exchanges are counted');

foreach my $bad (
	[ 'the key of another', 'invalid_grant', jwt($wrong, {}) ],
	[ 'another algorithm', 'invalid_grant', jwt($right, { alg => 'none' }) ],
	[ 'another audience', 'invalid_grant',
		jwt($right, {}, aud => 'https://elsewhere.example/token') ],
	[ 'another scope', 'invalid_scope', jwt($right, {}, scope => 'mail') ],
	[ 'two hours', 'invalid_grant', jwt($right, {}, exp => time + 7200) ],
	[ 'a time gone by', 'invalid_grant',
		jwt($right, {}, iat => time - 7200, exp => time - 3600) ],
	[ 'a time to come', 'invalid_grant',
		jwt($right, {}, iat => time + 900, exp => time + 1800) ],
	[ 'no JWT', 'invalid_grant', 'a.b' ])
{
	$answer = exchange($bad->[2]);
	is("$answer->{status} $answer->{json}{error}", "400 $bad->[1]",
		"$bad->[0] gives no token");
}
my $changed = jwt($right, {});
my ($head, $claims, $signature) = split /\./, $changed;
$claims = decode_json(MIME::Base64::decode_base64url($claims));
$claims->{exp}--;
is(exchange(join '.', $head, encode_base64url(encode_json($claims)),
		$signature)->{json}{error_description}, 'Invalid JWT Signature.',
	'nor does a changed one');
is(stats()->{token_exchanges}, 2, 'and nothing of it counts');

control('tokens', { life => 0 });
$token = exchange(jwt($right, {}))->{json}{access_token};
is(in_project($token, 'p1')->{status}, 401, 'a token can be over at once');
control('tokens', { life => 60 });
$token = exchange(jwt($right, {}))->{json}{access_token};
is(in_project($token, 'p1')->{status}, 200, 'or live');
control('tokens', { revoke => JSON::PP::true });
is(in_project($token, 'p1')->{status}, 401, 'until it is revoked');

# ---- Imagen, as it was

sub predict
{
	my ($prompt, %parameters) = @_;
	return in_project(exchange(jwt($right, {}))->{json}{access_token}, 'p1',
		'imagen-4.0-generate-001:predict',
		{ instances => [ { prompt => $prompt } ], parameters => \%parameters });
}

$answer = predict('x', sampleCount => 2);
is(scalar @{ $answer->{json}{predictions} }, 2, 'Imagen gives two pictures');
my $second = $answer->{json}{predictions}[1]{bytesBase64Encoded};
is(png_size(decode_base64($second)), '1024x1024', 'whole ones');
is((ledger())[-1]{n}, 2, 'ledger: two');
is_deeply(predict('x [[mock block=1]]')->{json}, {}, 'all blocked is nothing');
ok(predict('x [[mock block=1]]', includeRaiReason => JSON::PP::true)
	->{json}{predictions}[0]{raiFilteredReason}, 'or a reason, if asked for');

# ---- without a prefix, as SDKs ask that know only a host

is(ask('POST', "/v1beta/models/$model:generateContent", \%key, content('x'))
	->{status}, 200, 'the Gemini API is at the root, too');
is(ask('POST', "/v1/models/$model:generateContent", \%key, content('x'))
	->{status}, 200, 'under both versions');
is(ask('POST', "/v1beta1/publishers/google/models/$model:generateContent",
		\%key, content('x'))->{status}, 200, 'and Vertex');
is(exchange(jwt($right, {}))->{status}, 200, 'and the token endpoint');
ok(ask('GET', '/v1/models', \%key)->{json}{models},
	'Google\'s key, its models');
ok(ask('GET', '/v1/models', { authorization => 'Bearer sk-test' })
	->{json}{data}, 'OpenAI\'s key, OpenAI\'s');

is(stop_mock(), 0, 'the mock ends well');
done_testing();
