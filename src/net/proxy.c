/*
 * proxy.c - a line before the first byte: who is really calling         (pure)
 */
#include "net/proxy.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum {
	V2_HEAD_BYTES = 16,
	V2_LOCAL = 0x20, /* version and command */
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00, /* family and transport */
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_TCP4_BYTES = 12,
	V2_TCP6_BYTES = 36,
	TLV_HEAD_BYTES = 3,
	TLV_CRC32C = 0x03,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CIPHER = 0x23,
	SSL_CLIENT_IS_TLS = 0x01, /* and has shown no certificate */
	SSL_VERIFY_NOTHING = 1, /* 0 would say that one was shown, and is good */
};

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static int
refuse(struct fault *fault_r, const char *why)
{
	return fault_set(fault_r, VERDICT_PERM, "PROXY header: %s", why);
}

static unsigned
be16(const char *bytes)
{
	return (unsigned)((unsigned char)bytes[0] << 8 | (unsigned char)bytes[1]);
}

static void
set4(struct sockaddr_storage *address, const void *ip, uint16_t port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	memcpy(&sin->sin_addr, ip, sizeof(sin->sin_addr));
}

static void
set6(struct sockaddr_storage *address, const void *ip, uint16_t port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	memcpy(&sin6->sin6_addr, ip, sizeof(sin6->sin6_addr));
}

/* ---- version 1 */

/* The next word of a line whose words are parted by exactly one space each. */
static struct str
word(struct str *line)
{
	size_t len = str_find(*line, ' ');
	struct str here = str_make(line->ptr, len);

	*line = str_from(*line, len < line->len ? len + 1 : len);
	return here;
}

static bool
parse_address(int family, struct str ip, struct str port, struct sockaddr_storage *address_r)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];
	uint64_t number;

	if (ip.len >= sizeof(text) || memchr(ip.ptr, '\0', ip.len) != NULL)
		return false;
	memcpy(text, ip.ptr, ip.len);
	text[ip.len] = '\0';
	if (inet_pton(family, text, bytes) != 1)
		return false;
	if (port.len > 5 || (port.len > 1 && port.ptr[0] == '0') ||
	    !str_number(port, UINT16_MAX, &number))
		return false;
	if (family == AF_INET)
		set4(address_r, bytes, (uint16_t)number);
	else
		set6(address_r, bytes, (uint16_t)number);
	return true;
}

/* What stands between "PROXY " and the line's end. */
static int
parse_line(struct str line, struct proxy *proxy_r, struct fault *fault_r)
{
	struct str kind = word(&line), client_ip, local_ip, client_port, local_port;
	int family;

	if (str_is(kind, "UNKNOWN")) {
		proxy_r->is_own = true; /* whatever follows is not to be looked at */
		return 0;
	}
	if (str_is(kind, "TCP4"))
		family = AF_INET;
	else if (str_is(kind, "TCP6"))
		family = AF_INET6;
	else
		return refuse(fault_r, "neither TCP4 nor TCP6 nor UNKNOWN");
	client_ip = word(&line);
	local_ip = word(&line);
	client_port = word(&line);
	local_port = line;
	if (!parse_address(family, client_ip, client_port, &proxy_r->client) ||
	    !parse_address(family, local_ip, local_port, &proxy_r->local))
		return refuse(fault_r, "an address or port is none");
	return 0;
}

static int
next_v1(struct buf *in, struct proxy *proxy_r, struct fault *fault_r)
{
	struct str all = buf_str(in);
	size_t len = 0;

	while (len < all.len && len < PROXY_LINE_MOST && all.ptr[len] != '\r' &&
	       all.ptr[len] != '\n')
		len++;
	if (len + 2 > PROXY_LINE_MOST)
		return refuse(fault_r, "its line is too long");
	if (len < all.len && all.ptr[len] == '\n')
		return refuse(fault_r, "its line does not end with CR LF");
	if (len + 1 >= all.len)
		return 0;
	if (all.ptr[len + 1] != '\n')
		return refuse(fault_r, "its line does not end with CR LF");
	if (parse_line(str_make(all.ptr + 6, len - 6), proxy_r, fault_r) == -1)
		return -1;
	buf_consume(in, len + 2);
	return 1;
}

/* ---- version 2 */

/* CRC32c (RFC 4960, appendix B) of a whole header whose own checksum, 4 bytes at "hole", is 0. */
static uint32_t
crc32c(struct str bytes, size_t hole)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		if (i < hole || i >= hole + 4)
			crc ^= (unsigned char)bytes.ptr[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* All that stands behind the addresses, from "at" on. */
static int
check_tlvs(struct str header, size_t at, struct fault *fault_r)
{
	bool has_checksum = false;
	uint32_t checksum;
	size_t len;

	for (; at < header.len; at += len) {
		if (header.len - at < TLV_HEAD_BYTES)
			return refuse(fault_r, "it ends inside a field");
		len = TLV_HEAD_BYTES + be16(header.ptr + at + 1);
		if (len > header.len - at)
			return refuse(fault_r, "a field is longer than the header");
		if (header.ptr[at] != TLV_CRC32C)
			continue;
		if (has_checksum || len != TLV_HEAD_BYTES + 4)
			return refuse(fault_r, "its checksum is none");
		has_checksum = true;
		checksum = (uint32_t)be16(header.ptr + at + 3) << 16 | be16(header.ptr + at + 5);
		if (crc32c(header, at + TLV_HEAD_BYTES) != checksum)
			return refuse(fault_r, "its checksum is wrong");
	}
	return 0;
}

static int
parse_v2(struct str header, struct proxy *proxy_r, struct fault *fault_r)
{
	const char *at = header.ptr + V2_HEAD_BYTES;
	size_t rest = header.len - V2_HEAD_BYTES;
	int family = (unsigned char)header.ptr[13];

	if (header.ptr[12] == V2_LOCAL || family == V2_UNSPEC) {
		proxy_r->is_own = true; /* whatever follows is not to be looked at */
		return 0;
	}
	if (rest < (family == V2_TCP4 ? V2_TCP4_BYTES : V2_TCP6_BYTES))
		return refuse(fault_r, "too short for its addresses");
	if (family == V2_TCP4) {
		set4(&proxy_r->client, at, (uint16_t)be16(at + 8));
		set4(&proxy_r->local, at + 4, (uint16_t)be16(at + 10));
		return check_tlvs(header, V2_HEAD_BYTES + V2_TCP4_BYTES, fault_r);
	}
	set6(&proxy_r->client, at, (uint16_t)be16(at + 32));
	set6(&proxy_r->local, at + 16, (uint16_t)be16(at + 34));
	return check_tlvs(header, V2_HEAD_BYTES + V2_TCP6_BYTES, fault_r);
}

static int
next_v2(struct buf *in, struct proxy *proxy_r, struct fault *fault_r)
{
	struct str all = buf_str(in);
	size_t len;
	int family;

	if (all.len > 12 && all.ptr[12] != V2_LOCAL && all.ptr[12] != V2_PROXY)
		return refuse(fault_r, "its version or command is unknown");
	if (all.len > 13 && all.ptr[12] == V2_PROXY) {
		family = (unsigned char)all.ptr[13];
		if (family != V2_UNSPEC && family != V2_TCP4 && family != V2_TCP6)
			return refuse(fault_r, "neither TCP over IPv4 nor over IPv6");
	}
	if (all.len < V2_HEAD_BYTES)
		return 0;
	len = be16(all.ptr + 14);
	if (len > PROXY_REST_MOST)
		return refuse(fault_r, "too long");
	len += V2_HEAD_BYTES;
	if (all.len < len)
		return 0;
	if (parse_v2(str_make(all.ptr, len), proxy_r, fault_r) == -1)
		return -1;
	buf_consume(in, len);
	return 1;
}

/* Is it the signature, as far as it has come? */
static bool
begins(struct str all, const char *signature, size_t len)
{
	return memcmp(all.ptr, signature, all.len < len ? all.len : len) == 0;
}

int
proxy_next(struct buf *in, struct proxy *proxy_r, struct fault *fault_r)
{
	struct str all = buf_str(in);

	memset(proxy_r, 0, sizeof(*proxy_r));
	if (all.len == 0)
		return 0;
	if (begins(all, v2_signature, sizeof(v2_signature)))
		return next_v2(in, proxy_r, fault_r);
	if (!begins(all, "PROXY ", 6))
		return refuse(fault_r, "there is none");
	return all.len < 6 ? 0 : next_v1(in, proxy_r, fault_r);
}

/* ---- building */

/* Two IP addresses of one family, as they are written into a header. */
struct pair {
	int family; /* AF_UNSPEC: nothing to be said */
	unsigned char ip[2][16]; /* IPv4: the last 4 bytes of ::ffff:a.b.c.d */
	uint16_t port[2];
};

static bool
take(struct pair *pair, int i, const struct sockaddr_storage *address)
{
	static const unsigned char mapped_head[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in *sin = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET) {
		memcpy(pair->ip[i], mapped_head, sizeof(mapped_head));
		memcpy(pair->ip[i] + 12, &sin->sin_addr, 4);
		pair->port[i] = ntohs(sin->sin_port);
		return true;
	}
	if (address->ss_family != AF_INET6)
		return false;
	memcpy(pair->ip[i], &sin6->sin6_addr, 16);
	pair->port[i] = ntohs(sin6->sin6_port);
	if (memcmp(pair->ip[i], mapped_head, sizeof(mapped_head)) != 0)
		pair->family = AF_INET6;
	return true;
}

static struct pair
pair_of(const struct sockaddr_storage *client, const struct sockaddr_storage *local)
{
	struct pair pair = {.family = AF_INET};

	if (!take(&pair, 0, client) || !take(&pair, 1, local))
		pair.family = AF_UNSPEC;
	return pair;
}

void
proxy_add_v1(struct buf *out, const struct sockaddr_storage *client,
    const struct sockaddr_storage *local)
{
	struct pair pair = pair_of(client, local);
	size_t skip = pair.family == AF_INET ? 12 : 0;
	char text[2][INET6_ADDRSTRLEN];

	if (pair.family == AF_UNSPEC) {
		buf_add_text(out, "PROXY UNKNOWN\r\n");
		return;
	}
	for (int i = 0; i < 2; i++)
		must(inet_ntop(pair.family, pair.ip[i] + skip, text[i], sizeof(text[i])) != NULL);
	buf_addf(out, "PROXY %s %s %s %u %u\r\n", pair.family == AF_INET ? "TCP4" : "TCP6", text[0],
	    text[1], (unsigned)pair.port[0], (unsigned)pair.port[1]);
}

static void
add_be16(struct buf *out, size_t number)
{
	must(number <= UINT16_MAX);
	buf_add_byte(out, (char)(number >> 8));
	buf_add_byte(out, (char)(number & 0xff));
}

static void
add_tlv(struct buf *out, int type, struct str value)
{
	buf_add_byte(out, (char)type);
	add_be16(out, value.len);
	buf_add_str(out, value);
}

static void
add_tls(struct buf *out, const struct proxy_tls *tls)
{
	struct buf value = BUF_INIT, version = BUF_INIT;

	buf_add_byte(&value, SSL_CLIENT_IS_TLS);
	add_be16(&value, 0);
	add_be16(&value, SSL_VERIFY_NOTHING);
	buf_addf(&version, "TLSv%s", tls->version);
	add_tlv(&value, TLV_SSL_VERSION, buf_str(&version));
	if (tls->cipher != NULL)
		add_tlv(&value, TLV_SSL_CIPHER, str_of(tls->cipher));
	add_tlv(out, TLV_SSL, buf_str(&value));
	buf_fini(&version);
	buf_fini(&value);
}

void
proxy_add_v2(struct buf *out, const struct sockaddr_storage *client,
    const struct sockaddr_storage *local, const struct proxy_tls *tls)
{
	struct pair pair = pair_of(client, local);
	size_t skip = pair.family == AF_INET ? 12 : 0;
	int kind = pair.family == AF_INET ? V2_TCP4 : V2_TCP6;
	struct buf rest = BUF_INIT;

	buf_add(out, v2_signature, sizeof(v2_signature));
	if (pair.family == AF_UNSPEC) {
		buf_add_byte(out, V2_LOCAL);
		buf_add_byte(out, V2_UNSPEC);
		add_be16(out, 0);
		return;
	}
	for (int i = 0; i < 2; i++)
		buf_add(&rest, pair.ip[i] + skip, 16 - skip);
	for (int i = 0; i < 2; i++)
		add_be16(&rest, pair.port[i]);
	if (tls != NULL)
		add_tls(&rest, tls);
	buf_add_byte(out, V2_PROXY);
	buf_add_byte(out, (char)kind);
	add_be16(out, buf_len(&rest));
	buf_add_str(out, buf_str(&rest));
	buf_fini(&rest);
}
