/*-------------------------------------------------------------------------
 *
 * sigv4_test.c
 *		Signatures are those that AWS publishes: of its Signature Version 4
 *		test suite, and of the examples in the Amazon S3 API reference.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>
#include <strings.h>

#include "../../src/courier/percent.h"
#include "../../src/courier/sigv4.h"
#include "check.h"

#define FORM_HASH \
	"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
#define UNRESERVED \
	"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOKEN \
	"6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"

static Exchange x;

static Secret *
secret(const char *text)
{
	return secret_create(x.arena, (const uint8_t *) text, strlen(text));
}

/* Of the test suite: 2015-08-30T12:36:00Z. */
static SigV4
suite(void)
{
	return (SigV4)
	{
		.service = "service",.region = "us-east-1",
			.access_key = "AKIDEXAMPLE",
			.secret_key = secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
			.now = 1440938160
	};
}

/* Of the S3 API reference: 2013-05-24T00:00:00Z. */
static SigV4
reference(void)
{
	return (SigV4)
	{
		.service = "s3",.region = "us-east-1",
			.access_key = "AKIAIOSFODNN7EXAMPLE",
			.secret_key = secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
			.now = 1369353600
	};
}

static const char *
header(const char *name)
{
	const Header *header;

	for (header = x.request.headers; header != NULL; header = header->next)
	{
		if (strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return "";
}

static bool
is_signed(const char *headers, const char *signature)
{
	const char *expected = arena_printf(x.arena, "SignedHeaders=%s, "
										"Signature=%s", headers, signature);
	const char *is = strstr(header("Authorization"), "SignedHeaders");

	if (is != NULL && strcmp(is, expected) == 0)
		return true;
	printf("# %s\n", header("Authorization"));
	return false;
}

static bool
ends_with(const char *url, const char *signature)
{
	const char *is = strstr(url, "&X-Amz-Signature=");

	if (is != NULL && strcmp(is + 17, signature) == 0)
		return true;
	printf("# %s\n", url);
	return false;
}

/* By their names in the suite. */
static void
check_suite(void)
{
	static const struct
	{
		const char *name;
		const char *method;
		const char *target;
		const char *headers[4][2];	/* in the order in which they are sent */
		const char *signed_headers;
		const char *signature;
	}			cases[] =
	{
		{"get-vanilla", "GET", "/", {}, "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla, without a path", "GET", "", {}, "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "/", {}, "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET",
			"/?Param2=value2&Param1=value1", {}, "host;x-amz-date",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-query-order-encoded", "GET",
			"/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", {},
			"host;x-amz-date",
		"371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		{"get-vanilla-utf8-query", "GET", "/?%E1%88%B4=bar", {},
		"host;x-amz-date",
		"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"get-vanilla-query-unreserved", "GET",
			"/?" UNRESERVED "=" UNRESERVED, {}, "host;x-amz-date",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-unreserved", "GET", "/" UNRESERVED, {}, "host;x-amz-date",
		"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-utf8", "GET", "/%E1%88%B4", {}, "host;x-amz-date",
		"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{"get-space", "GET", "/example%20space/", {}, "host;x-amz-date",
		"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
		{"get-header-key-duplicate", "GET", "/",
			{{"My-Header1", "value2"}, {"My-Header1", "value2"},
			{"My-Header1", "value1"}}, "host;my-header1;x-amz-date",
		"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-order", "GET", "/",
			{{"My-Header1", "value4"}, {"My-Header1", "value1"},
			{"My-Header1", "value3"}, {"My-Header1", "value2"}},
			"host;my-header1;x-amz-date",
		"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"get-header-value-trim", "GET", "/",
			{{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
			"host;my-header1;my-header2;x-amz-date",
		"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"post-header-value-case", "POST", "/", {{"My-Header1", "VALUE1"}},
		"host;my-header1;x-amz-date",
		"cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		SigV4		signer = suite();

		x.base_url = "https://example.amazonaws.com";
		exchange_method(&x, cases[i].method, cases[i].target);
		for (int j = 3; j >= 0; j--)
		{
			if (cases[i].headers[j][0] != NULL)
				exchange_header(&x, cases[i].headers[j][0],
								cases[i].headers[j][1]);
		}
		sigv4_sign(&x, &signer, NULL);
		CHECK(is_signed(cases[i].signed_headers, cases[i].signature),
			  "%s", cases[i].name);
	}
}

static void
check_bodies(void)
{
	SigV4		signer = suite();

	x.base_url = "https://example.amazonaws.com";
	exchange_method(&x, "POST", "/");
	x.request.body = "Param1=value1";
	x.request.body_len = 13;
	exchange_header(&x, "Content-Type", "application/x-www-form-urlencoded");
	sigv4_sign(&x, &signer, NULL);
	CHECK(is_signed("content-type;host;x-amz-date",
					"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0"
					"fe09473a"), "post-x-www-form-urlencoded");

	exchange_method(&x, "POST", "/");
	exchange_header(&x, "Content-Type", "application/x-www-form-urlencoded");
	exchange_header(&x, "Content-Length", "13");
	sigv4_sign(&x, &signer, FORM_HASH);
	CHECK(is_signed("content-length;content-type;host;x-amz-content-sha256;"
					"x-amz-date",
					"d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56"
					"c3f20e0b") &&
		  strcmp(header("x-amz-content-sha256"), FORM_HASH) == 0,
		  "the same with its hash told");

	signer.session_token = secret(TOKEN);
	exchange_method(&x, "GET", "/");
	sigv4_sign(&x, &signer, NULL);
	CHECK(is_signed("host;x-amz-date;x-amz-security-token",
					"07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd"
					"9f74e7f8") &&
		  strcmp(header("x-amz-security-token"), TOKEN) == 0,
		  "get-vanilla-with-session-token");
	CHECK(strncmp(header("Authorization"), "AWS4-HMAC-SHA256 Credential="
				  "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ",
				  80) == 0 &&
		  strcmp(header("x-amz-date"), "20150830T123600Z") == 0,
		  "key, scope and time are told as well");
}

static void
check_reference(void)
{
	SigV4		signer = reference();

	x.base_url = "https://examplebucket.s3.amazonaws.com";
	exchange_method(&x, "GET", "/test.txt");
	exchange_header(&x, "Range", "bytes=0-9");
	sigv4_sign(&x, &signer, SIGV4_EMPTY);
	CHECK(is_signed("host;range;x-amz-content-sha256;x-amz-date",
					"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6"
					"036bdb41"), "S3: GET Object, with a range");

	x.base_url = "https://examplebucket.s3.amazonaws.com:443";
	exchange_method(&x, "PUT",
					arena_printf(x.arena, "/%s",
								 percent_encode(x.arena, "test$file.text",
												true)));
	exchange_header(&x, "Date", "Fri, 24 May 2013 00:00:00 GMT");
	exchange_header(&x, "x-amz-storage-class", "REDUCED_REDUNDANCY");
	sigv4_sign(&x, &signer, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e4"
			   "2034a8b803f8b072");
	CHECK(is_signed("date;host;x-amz-content-sha256;x-amz-date;"
					"x-amz-storage-class",
					"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0"
					"ece108bd"),
		  "S3: PUT Object; the usual port is not part of the host");

	x.base_url = "https://examplebucket.s3.amazonaws.com";
	exchange_method(&x, "GET", "?lifecycle");
	sigv4_sign(&x, &signer, SIGV4_EMPTY);
	CHECK(is_signed("host;x-amz-content-sha256;x-amz-date",
					"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a01"
					"36783543"),
		  "S3: GET Bucket lifecycle, a query without a value");
}

static void
check_urls(void)
{
	SigV4		signer = reference();
	const char *url;

	url = sigv4_presign(x.arena, &signer, "GET",
						"https://examplebucket.s3.amazonaws.com/test.txt",
						SIGV4_UNSIGNED, 86400);
	CHECK(ends_with(url, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d1"
					"57751f604d404") &&
		  strstr(url, "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
				 "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
				 "us-east-1%2Fs3%2Faws4_request&") != NULL,
		  "S3: a signed URL");

	signer = suite();
	url = sigv4_presign(x.arena, &signer, "GET",
						"https://example.amazonaws.com/?Param2=value2&"
						"Param1=value1", SIGV4_EMPTY, 3600);
	CHECK(ends_with(url, "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3"
					"f923d300bed5"),
		  "get-vanilla-query-order-key-case, as a URL");
	signer.session_token = secret(TOKEN);
	url = sigv4_presign(x.arena, &signer, "GET",
						"https://example.amazonaws.com/", SIGV4_EMPTY, 3600);
	CHECK(ends_with(url, "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f"
					"73cc53f67b6c"),
		  "get-vanilla-with-session-token, as a URL");
}

static void
check_encoding(void)
{
	CHECK(strcmp(percent_encode(x.arena, UNRESERVED, false),
				 UNRESERVED) == 0, "what is unreserved stays");
	CHECK(strcmp(percent_encode(x.arena, "a/b c+d%\xc3\xa9?", true),
				 "a/b%20c%2Bd%25%C3%A9%3F") == 0,
		  "in a path everything else but the slash is encoded");
	CHECK(strcmp(percent_encode(x.arena, "a/b", false), "a%2Fb") == 0,
		  "elsewhere the slash too");
}

int
main(void)
{
	x.arena = arena_create();
	check_suite();
	check_bodies();
	check_reference();
	check_urls();
	check_encoding();
	arena_destroy(x.arena);
	return check_done();
}
