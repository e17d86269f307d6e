/*-------------------------------------------------------------------------
 *
 * address.c
 *		Which addresses may be connected (rule N4).
 *
 * IPv4 is public unless it stands in the list of what is not.  IPv6 is
 * refused unless it is global unicast (2000::/3) and not in the list: so the
 * many ways to write an IPv4 address inside IPv6 need not be known one by
 * one, apart from the three that lie in there (6to4, Teredo, ISATAP).  What
 * the lists hold is from the IANA special-purpose address registries.
 *
 *-------------------------------------------------------------------------
 */
#include "address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

typedef struct Net
{
	uint8_t		bytes[16];
	int			bits;
} Net;

static const Net closed_v4[] = {
	{{0}, 8},					/* this network */
	{{10}, 8},					/* private */
	{{100, 64}, 10},			/* shared by carriers (CGNAT) */
	{{127}, 8},					/* loopback */
	{{169, 254}, 16},			/* link-local, clouds' metadata */
	{{172, 16}, 12},			/* private */
	{{192, 0, 0}, 24},			/* protocol assignments */
	{{192, 0, 2}, 24},			/* documentation */
	{{192, 88, 99}, 24},		/* 6to4 relays */
	{{192, 168}, 16},			/* private */
	{{198, 18}, 15},			/* benchmarks */
	{{198, 51, 100}, 24},		/* documentation */
	{{203, 0, 113}, 24},		/* documentation */
	{{224}, 3},					/* multicast, reserved, broadcast */
};

static const Net open_v6 = {{0x20}, 3};

static const Net closed_v6[] = {
	{{0x20, 0x01, 0x00}, 23},	/* protocol assignments, Teredo among them */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x20, 0x02}, 16},			/* 6to4 */
	{{0x3f, 0xff, 0x00}, 20},	/* documentation */
};

static bool
is_in(const uint8_t *address, const uint8_t *net, int bits)
{
	int			whole = bits / 8;
	int			rest = bits % 8;

	if (memcmp(address, net, (size_t) whole) != 0)
		return false;
	return rest == 0 ||
		((address[whole] ^ net[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool
is_in_any(const uint8_t *address, const Net *nets, size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		if (is_in(address, nets[i].bytes, nets[i].bits))
			return true;
	}
	return false;
}

/* An interface identifier that names an IPv4 address (RFC 5214). */
static bool
is_isatap(const uint8_t *address)
{
	return (address[8] & 0xfd) == 0 && address[9] == 0 &&
		address[10] == 0x5e && address[11] == 0xfe;
}

static AddressVerdict
judge(int family, const uint8_t *bytes, const AddressRange *ranges, int count)
{
	int			i;

	for (i = 0; i < count; i++)
	{
		if (ranges[i].family == family &&
			is_in(bytes, ranges[i].bytes, ranges[i].bits))
			return ADDRESS_NAMED;
	}
	if (family == AF_INET)
		return is_in_any(bytes, closed_v4,
						 sizeof(closed_v4) / sizeof(closed_v4[0])) ?
			ADDRESS_REFUSED : ADDRESS_PUBLIC;
	if (!is_in(bytes, open_v6.bytes, open_v6.bits) || is_isatap(bytes) ||
		is_in_any(bytes, closed_v6,
				  sizeof(closed_v6) / sizeof(closed_v6[0])))
		return ADDRESS_REFUSED;
	return ADDRESS_PUBLIC;
}

AddressVerdict
address_judge(const struct sockaddr *address, socklen_t len,
			  const AddressRange *ranges, int count)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	/* copied, since nothing says that the caller's is aligned */
	if (address->sa_family == AF_INET && len >= sizeof(v4))
	{
		memcpy(&v4, address, sizeof(v4));
		return judge(AF_INET, (const uint8_t *) &v4.sin_addr, ranges, count);
	}
	if (address->sa_family == AF_INET6 && len >= sizeof(v6))
	{
		memcpy(&v6, address, sizeof(v6));
		return judge(AF_INET6, (const uint8_t *) &v6.sin6_addr, ranges,
					 count);
	}
	return ADDRESS_REFUSED;
}

AddressVerdict
address_judge_text(const char *address, const AddressRange *ranges, int count)
{
	uint8_t		bytes[16];

	if (inet_pton(AF_INET, address, bytes) == 1)
		return judge(AF_INET, bytes, ranges, count);
	if (inet_pton(AF_INET6, address, bytes) == 1)
		return judge(AF_INET6, bytes, ranges, count);
	return ADDRESS_REFUSED;
}

bool
address_parse_range(const char *cidr, AddressRange *range)
{
	char		text[INET6_ADDRSTRLEN];
	const char *slash = strchr(cidr, '/');
	size_t		len = slash != NULL ? (size_t) (slash - cidr) : strlen(cidr);
	int			max;

	if (len >= sizeof(text))
		return false;
	memcpy(text, cidr, len);
	text[len] = '\0';

	memset(range, 0, sizeof(*range));
	if (inet_pton(AF_INET, text, range->bytes) == 1)
	{
		range->family = AF_INET;
		max = 32;
	}
	else if (inet_pton(AF_INET6, text, range->bytes) == 1)
	{
		range->family = AF_INET6;
		max = 128;
	}
	else
		return false;

	range->bits = max;
	if (slash != NULL)
	{
		char	   *end;
		long		bits;

		if (slash[1] < '0' || slash[1] > '9')
			return false;
		bits = strtol(slash + 1, &end, 10);
		if (*end != '\0' || bits > max)
			return false;
		range->bits = (int) bits;
	}
	return true;
}

int
address_parse_list(const char *list, AddressRange *ranges, int max,
				   char *problem, size_t problem_size)
{
	int			count = 0;

	problem[0] = '\0';
	while (list[strspn(list, ", ")] != '\0')
	{
		char		text[64];
		size_t		len;

		list += strspn(list, ", ");
		len = strcspn(list, ", ");
		snprintf(text, sizeof(text), "%.*s", (int) len, list);
		list += len;
		if (count == max)
		{
			snprintf(problem, problem_size,
					 " has more than %d ranges: the rest is ignored", max);
			break;
		}
		if (len < sizeof(text) && address_parse_range(text, &ranges[count]))
			count++;
		else
			snprintf(problem, problem_size,
					 " has \"%s\", which is no range of addresses", text);
	}
	return count;
}
