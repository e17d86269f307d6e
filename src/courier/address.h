/*-------------------------------------------------------------------------
 *
 * address.h
 *		Which addresses may be connected (rule N4).
 *
 * Asked about the address itself, when a socket is about to be opened, never
 * about the text of a URL: "127.1", "0x7f.1", "[::ffff:7f00:1]" and a name
 * that resolves to 10.0.0.1 are all the same to it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ADDRESS_H
#define BAMBI_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

/* A range of addresses that an operator allowed, as in "10.1.0.0/16". */
typedef struct AddressRange
{
	int			family;			/* AF_INET or AF_INET6 */
	int			bits;
	uint8_t		bytes[16];
} AddressRange;

typedef enum AddressVerdict
{
	ADDRESS_REFUSED = 0,
	ADDRESS_PUBLIC,				/* anybody's, over TLS */
	ADDRESS_NAMED				/* in one of the ranges: also without TLS */
} AddressVerdict;

/* False if it is not a range; one address alone is a range too. */
extern bool address_parse_range(const char *cidr, AddressRange *range);

/*
 * Reads a list such as "10.0.0.0/8, fd00::/8" into ranges, max of them at
 * most, and returns how many there are.  What is wrong with the list goes to
 * problem, as the end of a sentence, or is empty: what can be read counts.
 */
extern int	address_parse_list(const char *list, AddressRange *ranges,
							   int max, char *problem, size_t problem_size);

extern AddressVerdict address_judge(const struct sockaddr *address,
									socklen_t len,
									const AddressRange *ranges, int count);

/* The same for a numeric address as text, without port or scope. */
extern AddressVerdict address_judge_text(const char *address,
										 const AddressRange *ranges,
										 int count);

#endif							/* BAMBI_ADDRESS_H */
