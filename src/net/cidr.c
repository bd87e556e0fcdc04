/*
 * cidr.c - is this address one of those?                                (pure)
 */
#include "net/cidr.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { IPV4_FROM_BIT = 96 };

static const unsigned char mapped_head[IPV4_FROM_BIT / 8] = {[10] = 0xff, [11] = 0xff};

/* The address as 16 bytes; false where it has none. */
static bool
bytes_of(const struct sockaddr_storage *peer, unsigned char bytes_r[16])
{
	switch (peer->ss_family) {
	case AF_INET:
		memcpy(bytes_r, mapped_head, sizeof(mapped_head));
		memcpy(bytes_r + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
		return true;
	case AF_INET6:
		memcpy(bytes_r, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
		return true;
	}
	return false;
}

/* Zero bits from position "bits" on. */
static bool
rest_is_zero(const struct cidr *cidr)
{
	for (unsigned bit = cidr->bits; bit < 128; bit++) {
		if (cidr->address[bit / 8] & (0x80u >> (bit % 8)))
			return false;
	}
	return true;
}

/* A number of at most three digits; -1 where it is none. */
static int
parse_bits(struct str text)
{
	uint64_t n;

	return text.len <= 3 && str_number(text, 999, &n) ? (int)n : -1;
}

int
cidr_parse(const char *text, struct cidr *cidr_r, struct fault *fault_r)
{
	struct str all = str_of(text);
	size_t slash = str_find(all, '/');
	char address[INET6_ADDRSTRLEN];
	int bits, most;

	*cidr_r = (struct cidr){0};
	if (slash >= sizeof(address))
		return fault_set(fault_r, VERDICT_PERM, "%s: not an address", text);
	memcpy(address, all.ptr, slash);
	address[slash] = '\0';
	if (inet_pton(AF_INET, address, cidr_r->address + 12) == 1) {
		memcpy(cidr_r->address, mapped_head, sizeof(mapped_head));
		most = 32;
	} else if (inet_pton(AF_INET6, address, cidr_r->address) == 1) {
		most = 128;
	} else {
		return fault_set(fault_r, VERDICT_PERM, "%s: not an address", text);
	}
	bits = slash == all.len ? most : parse_bits(str_from(all, slash + 1));
	if (bits < 0 || bits > most)
		return fault_set(fault_r, VERDICT_PERM,
		    "%s: behind the slash stands a number from 0 to %d", text, most);
	cidr_r->bits = (unsigned)(128 - most + bits);
	if (!rest_is_zero(cidr_r))
		return fault_set(fault_r, VERDICT_PERM,
		    "%s: names one address and a whole network: which is meant?", text);
	return 0;
}

bool
cidr_has(const struct cidr *cidr, const struct sockaddr_storage *peer)
{
	unsigned char bytes[16];
	unsigned whole = cidr->bits / 8, part = cidr->bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> part);

	if (!bytes_of(peer, bytes) || memcmp(bytes, cidr->address, whole) != 0)
		return false;
	if (cidr->bits < IPV4_FROM_BIT && memcmp(bytes, mapped_head, sizeof(mapped_head)) == 0)
		return false; /* ::/0 was meant for IPv6 */
	return part == 0 || ((bytes[whole] ^ cidr->address[whole]) & mask) == 0;
}

bool
cidr_any_has(const struct cidr *list, size_t count, const struct sockaddr_storage *peer)
{
	for (size_t i = 0; i < count; i++) {
		if (cidr_has(&list[i], peer))
			return true;
	}
	return false;
}

bool
cidr_is_loopback(const struct sockaddr_storage *peer)
{
	static const struct cidr rows[] = {
	    {{[10] = 0xff, [11] = 0xff, [12] = 127}, IPV4_FROM_BIT + 8},
	    {{[15] = 1}, 128},
	};

	return cidr_any_has(rows, ARRAY_LEN(rows), peer);
}
