/*-------------------------------------------------------------------------
 *
 * address_test.c
 *		No closed address is reached, however it is written, and public ones
 *		are.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "../../src/courier/address.h"
#include "check.h"

static const char *const closed[] = {
	/* first and last of every range */
	"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255",
	"100.64.0.0", "100.127.255.255", "127.0.0.0", "127.0.0.1",
	"127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255",
	"172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0",
	"192.0.2.255", "192.88.99.1", "192.168.0.0", "192.168.255.255",
	"198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
	"203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255",
	"240.0.0.0", "255.255.255.255",
	/* IPv6 */
	"::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fdff::1",
	"ff02::1", "100::1", "2001:db8::1", "3fff::1", "3fff:fff::1",
	"2001::1", "2001:2::1", "2001:10::1", "2001:1ff::1", "4000::1",
	"1fff::1", "5f00::1",
	/* IPv4 inside it: mapped, compatible, translated, 6to4, Teredo, ISATAP */
	"::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:8.8.8.8", "::127.0.0.1",
	"::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8",
	"64:ff9b:1::1", "2002:7f00:1::1", "2002:808:808::1",
	"2001:0:7f00:1::1", "2606:4700::5efe:127.0.0.1",
	"2606:4700::200:5efe:10.0.0.1",
};

static const char *const open_to_all[] = {
	"1.0.0.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
	"100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
	"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
	"192.0.3.0", "192.88.98.255", "192.167.255.255", "192.169.0.0",
	"198.17.255.255", "198.20.0.0", "198.51.99.255", "203.0.114.0",
	"223.255.255.255", "104.18.7.192",
	"2000::1", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1",
	"2003::1", "2a00:1450::1", "3ffe::1",
};

/* Texts that getaddrinfo, and so libcurl, takes for loopback. */
static const char *const spellings[] = {
	"127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1",
	"017700000001", "0x7f.0x0.0x0.0x1", "0", "0.0", "0x0", "00",
	"::ffff:7f00:1", "0:0:0:0:0:ffff:7f00:1", "::FFFF:127.0.0.1", "::1",
	"0:0::0:1", "::0001", "localhost",
};

static AddressVerdict
judge(const char *text, const AddressRange *ranges, int count)
{
	return address_judge_text(text, ranges, count);
}

static void
check_lists(void)
{
	size_t		i;

	for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		CHECK(judge(closed[i], NULL, 0) == ADDRESS_REFUSED,
			  "%s is refused", closed[i]);
	for (i = 0; i < sizeof(open_to_all) / sizeof(open_to_all[0]); i++)
		CHECK(judge(open_to_all[i], NULL, 0) == ADDRESS_PUBLIC,
			  "%s is public", open_to_all[i]);
	CHECK(judge("fe80::1%lo", NULL, 0) == ADDRESS_REFUSED &&
		  judge("", NULL, 0) == ADDRESS_REFUSED &&
		  judge("nonsense", NULL, 0) == ADDRESS_REFUSED,
		  "what is no address is refused");
}

static void
check_spellings(void)
{
	size_t		i;

	for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
	{
		struct addrinfo *list = NULL;
		struct addrinfo *a;
		bool		is_refused = true;

		if (getaddrinfo(spellings[i], "443", NULL, &list) == 0)
		{
			for (a = list; a != NULL; a = a->ai_next)
			{
				if (address_judge(a->ai_addr, a->ai_addrlen, NULL,
								  0) != ADDRESS_REFUSED)
					is_refused = false;
			}
			freeaddrinfo(list);
		}
		CHECK(is_refused, "the host \"%s\" reaches nobody", spellings[i]);
	}
}

static void
check_sockets(void)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	CHECK(address_judge((struct sockaddr *) &local, sizeof(local), NULL,
						0) == ADDRESS_REFUSED, "a local socket is refused");
	v4.sin_addr.s_addr = htonl(0x08080808);
	CHECK(address_judge((struct sockaddr *) &v4, sizeof(v4), NULL,
						0) == ADDRESS_PUBLIC, "a socket address is judged");
	CHECK(address_judge((struct sockaddr *) &v4, 4, NULL,
						0) == ADDRESS_REFUSED,
		  "and refused if it is cut short");
}

static void
check_ranges(void)
{
	static const char *const bad[] = {
		"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
		"10.0.0.0/ 8", "10.0.0/8", "::1/129", "localhost", "0x7f.1/8",
		"1234567890123456789012345678901234567890123456789/8",
	};
	AddressRange ranges[3];
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!address_parse_range(bad[i], &ranges[0]),
			  "\"%s\" is no range", bad[i]);

	CHECK(address_parse_range("127.0.0.1", &ranges[0]) &&
		  ranges[0].bits == 32, "one address is a range");
	CHECK(address_parse_range("10.128.0.0/9", &ranges[1]) &&
		  address_parse_range("fd00::/8", &ranges[2]), "so are two nets");
	CHECK(judge("127.0.0.1", ranges, 3) == ADDRESS_NAMED &&
		  judge("127.0.0.2", ranges, 3) == ADDRESS_REFUSED,
		  "a range opens one address, and not the next");
	CHECK(judge("10.128.0.0", ranges, 3) == ADDRESS_NAMED &&
		  judge("10.255.255.255", ranges, 3) == ADDRESS_NAMED &&
		  judge("10.127.255.255", ranges, 3) == ADDRESS_REFUSED,
		  "or half a net, and not the other half");
	CHECK(judge("fd12::1", ranges, 3) == ADDRESS_NAMED &&
		  judge("fc12::1", ranges, 3) == ADDRESS_REFUSED,
		  "in IPv6 too");
	CHECK(judge("::ffff:127.0.0.1", ranges, 3) == ADDRESS_REFUSED,
		  "an IPv4 range does not open the same address inside IPv6");
	CHECK(judge("8.8.8.8", ranges, 3) == ADDRESS_PUBLIC,
		  "ranges close nothing");
	address_parse_range("0.0.0.0/0", &ranges[0]);
	CHECK(judge("169.254.169.254", ranges, 1) == ADDRESS_NAMED &&
		  judge("::1", ranges, 1) == ADDRESS_REFUSED,
		  "even all of IPv4 does not open IPv6");
}

int
main(void)
{
	check_lists();
	check_spellings();
	check_sockets();
	check_ranges();
	return check_done();
}
