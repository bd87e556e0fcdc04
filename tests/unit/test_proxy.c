/*
 * test_proxy.c - PROXY headers: read at every cut, and built
 */
#include "net/proxy.h"

#include "base/mem.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4                                                                                       \
	"\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\xdc\x04\0\x8f" /* 192.0.2.7:56324 198.51.100.1:143 */
#define ADDRESSES4 "\xc0\0\2\7\xc6\x33\x64\1\xdc\x04\0\x8f"
#define TEXT4 "192.0.2.7 56324 198.51.100.1 143"
#define IP6_7 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
#define IP6_1 "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define F39 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static const struct {
	const char *name;
	struct str bytes;
	int rc;
	const char *said; /* rc 1: the addresses, or "own" */
	struct str left; /* rc 1: what is still in the buffer */
} rows[] = {
    {"v1", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r\n* OK"), 1, TEXT4, STR("* OK")},
    {"v1, nothing behind it", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r\n"), 1, TEXT4,
	STR("")},
    {"v1, IPv6", STR("PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\nx"), 1,
	"2001:db8::7 1 2001:db8::1 65535", STR("x")},
    {"v1, the longest TCP6", STR("PROXY TCP6 " F39 " " F39 " 65535 65535\r\n"), 1,
	F39 " 65535 " F39 " 65535", STR("")},
    {"v1, port 0", STR("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n"), 1,
	"192.0.2.7 0 198.51.100.1 0", STR("")},
    {"v1, unknown", STR("PROXY UNKNOWN\r\nx"), 1, "own", STR("x")},
    {"v1, unknown and 107 bytes", STR("PROXY UNKNOWN " F39 " " F39 " 65535 65535\r\nx"), 1, "own",
	STR("x")},
    {"v1, unknown and 108 bytes", STR("PROXY UNKNOWN " F39 " " F39 " 65535 655350\r\nx"), -1, "",
	STR("")},
    {"v1, unknowable", STR("PROXY UNKNOWNS\r\n"), -1, "", STR("")},
    {"v1, half", STR("PROXY TCP4 192.0.2.7"), 0, "", STR("")},
    {"v1, its LF is missing", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r"), 0, "", STR("")},
    {"v1, LF alone", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\n"), -1, "", STR("")},
    {"v1, CR alone", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\rx\r\n"), -1, "", STR("")},
    {"v1, CR in the unknown", STR("PROXY UNKNOWN \rx\r\n"), -1, "", STR("")},
    {"v1, two spaces", STR("PROXY TCP4  192.0.2.7 198.51.100.1 56324 143\r\n"), -1, "", STR("")},
    {"v1, a space at the end", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143 \r\n"), -1, "",
	STR("")},
    {"v1, a port missing", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n"), -1, "", STR("")},
    {"v1, a fifth word", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 143 1\r\n"), -1, "", STR("")},
    {"v1, port 65536", STR("PROXY TCP4 192.0.2.7 198.51.100.1 65536 143\r\n"), -1, "", STR("")},
    {"v1, port 0143", STR("PROXY TCP4 192.0.2.7 198.51.100.1 56324 0143\r\n"), -1, "", STR("")},
    {"v1, port +1", STR("PROXY TCP4 192.0.2.7 198.51.100.1 +1 143\r\n"), -1, "", STR("")},
    {"v1, octal", STR("PROXY TCP4 192.0.2.07 198.51.100.1 1 143\r\n"), -1, "", STR("")},
    {"v1, three bytes", STR("PROXY TCP4 192.0.2 198.51.100.1 1 143\r\n"), -1, "", STR("")},
    {"v1, IPv6 as TCP4", STR("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n"), -1, "", STR("")},
    {"v1, IPv4 as TCP6", STR("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n"), -1, "", STR("")},
    {"v1, a zone", STR("PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n"), -1, "", STR("")},
    {"v1, a NUL", STR("PROXY TCP4 192.0.2.7\0 198.51.100.1 1 2\r\n"), -1, "", STR("")},
    {"v1, small letters", STR("PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n"), -1, "", STR("")},
    {"v1, UDP4", STR("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"), -1, "", STR("")},
    {"v1, proxy", STR("proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n"), -1, "", STR("")},
    {"none: a client speaks", STR("a1 CAPABILITY\r\n"), -1, "", STR("")},
    {"none: TLS", STR("\x16\3\1\2\0\1\0\1"), -1, "", STR("")},
    {"none: an empty line", STR("\r\n\r\nGET / HTTP/1.1"), -1, "", STR("")},
    {"nothing", STR(""), 0, "", STR("")},

    {"v2", STR(SIGNATURE "\x21" TCP4 "* OK"), 1, TEXT4, STR("* OK")},
    {"v2, half", STR(SIGNATURE "\x21\x11\0\x0c\xc0\0\2"), 0, "", STR("")},
    {"v2, IPv6",
	STR(SIGNATURE "\x21\x21\0\x24" IP6_7 IP6_1 "\0\1\xff\xff"
		      "x"),
	1, "2001:db8::7 1 2001:db8::1 65535", STR("x")},
    {"v2, local", STR(SIGNATURE "\x20\0\0\0x"), 1, "own", STR("x")},
    {"v2, local with addresses", STR(SIGNATURE "\x20" TCP4 "x"), 1, "own", STR("x")},
    {"v2, local of any family", STR(SIGNATURE "\x20\x31\0\1zx"), 1, "own", STR("x")},
    {"v2, unspecified", STR(SIGNATURE "\x21\0\0\2zzx"), 1, "own", STR("x")},
    {"v2, UNIX", STR(SIGNATURE "\x21\x31\0\xd8"), -1, "", STR("")},
    {"v2, family 0x41", STR(SIGNATURE "\x21\x41\0\x0c" ADDRESSES4), -1, "", STR("")},
    {"v2, UDP", STR(SIGNATURE "\x21\x12\0\x0c" ADDRESSES4), -1, "", STR("")},
    {"v2, IPv4 without transport", STR(SIGNATURE "\x21\x10\0\x0c" ADDRESSES4), -1, "", STR("")},
    {"v2, version 1", STR(SIGNATURE "\x11" TCP4), -1, "", STR("")},
    {"v2, version 3", STR(SIGNATURE "\x31" TCP4), -1, "", STR("")},
    {"v2, command 2", STR(SIGNATURE "\x22" TCP4), -1, "", STR("")},
    {"v2, eleven bytes", STR(SIGNATURE "\x21\x11\0\x0b\xc0\0\2\7\xc6\x33\x64\1\xdc\x04\0"), -1, "",
	STR("")},
    {"v2, IPv6 with 12 bytes", STR(SIGNATURE "\x21\x21\0\x0c" ADDRESSES4), -1, "", STR("")},
    {"v2, length 65535", STR(SIGNATURE "\x21\x11\xff\xff"), -1, "", STR("")},
    {"v2, local of length 65535", STR(SIGNATURE "\x20\0\xff\xff"), -1, "", STR("")},
    {"v2, length 2049", STR(SIGNATURE "\x21\x11\x08\x01"), -1, "", STR("")},
    {"v2, length 2048, half", STR(SIGNATURE "\x21\x11\x08\0"), 0, "", STR("")},
    {"v2, fields", STR(SIGNATURE "\x21\x11\0\x17" ADDRESSES4 "\2\0\2ab\4\0\0\xee\0\0x"), 1, TEXT4,
	STR("x")},
    {"v2, a loop of nothing",
	STR(SIGNATURE "\x21\x11\0\x1b" ADDRESSES4 "\4\0\0\4\0\0\4\0\0\4\0\0\4\0\0"
		      "x"),
	1, TEXT4, STR("x")},
    {"v2, a field's head is cut", STR(SIGNATURE "\x21\x11\0\x0e" ADDRESSES4 "\4\0x"), -1, "",
	STR("")},
    {"v2, a field is too long", STR(SIGNATURE "\x21\x11\0\x10" ADDRESSES4 "\4\0\2ax"), -1, "",
	STR("")},
    {"v2, a field of 65535", STR(SIGNATURE "\x21\x11\0\x0f" ADDRESSES4 "\4\xff\xff"), -1, "",
	STR("")},
    {"v2, checksum",
	STR(SIGNATURE "\x21\x11\0\x13" ADDRESSES4 "\3\0\4\x08\xdb\x10\xf7"
		      "x"),
	1, TEXT4, STR("x")},
    {"v2, wrong checksum", STR(SIGNATURE "\x21\x11\0\x13" ADDRESSES4 "\3\0\4\1\2\3\4"), -1, "",
	STR("")},
    {"v2, short checksum", STR(SIGNATURE "\x21\x11\0\x12" ADDRESSES4 "\3\0\3\1\2\3"), -1, "",
	STR("")},
};

/* "192.0.2.7 56324 198.51.100.1 143", or "own" */
static const char *
say(const struct proxy *proxy)
{
	static char text[200];
	const struct sockaddr_storage *both[] = {&proxy->client, &proxy->local};
	char ip[INET6_ADDRSTRLEN];
	size_t at = 0;

	if (proxy->is_own)
		return "own";
	for (int i = 0; i < 2; i++) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)both[i];
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)both[i];

		if (both[i]->ss_family == AF_INET)
			inet_ntop(AF_INET, &sin->sin_addr, ip, sizeof(ip));
		else
			inet_ntop(AF_INET6, &sin6->sin6_addr, ip, sizeof(ip));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %d", i ? " " : "", ip,
		    ntohs(both[i]->ss_family == AF_INET ? sin->sin_port : sin6->sin6_port));
	}
	return text;
}

/* In pieces that end at "cut" and then every "piece" bytes; what is left in in_r. */
static int
feed(struct str bytes, size_t cut, size_t piece, struct buf *in, struct proxy *proxy)
{
	struct fault fault = {0};
	size_t at = 0;
	int rc = 0;

	buf_clear(in);
	for (size_t next = cut; rc == 0 && at < bytes.len; next = at + piece) {
		if (next > bytes.len)
			next = bytes.len;
		buf_add(in, bytes.ptr + at, next - at);
		at = next;
		rc = proxy_next(in, proxy, &fault);
	}
	if (rc == -1)
		assert_int_equal(fault.verdict, VERDICT_PERM);
	buf_add(in, bytes.ptr + at, bytes.len - at);
	return rc;
}

static void
C16_a_header_is_one_however_it_is_cut(void **state)
{
	struct buf in = BUF_INIT;
	struct proxy proxy;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 0; cut <= rows[i].bytes.len + 1; cut++) {
			/* the last time byte by byte */
			bool singly = cut > rows[i].bytes.len;

			rc = feed(rows[i].bytes, singly ? 1 : cut,
			    singly ? 1 : rows[i].bytes.len + 1, &in, &proxy);
			if (rc != rows[i].rc)
				fail_msg("%s, cut at %zu: %d", rows[i].name, cut, rc);
			if (rc != 1)
				continue;
			if (strcmp(say(&proxy), rows[i].said) != 0 ||
			    !str_eq(buf_str(&in), rows[i].left))
				fail_msg("%s, cut at %zu: %s", rows[i].name, cut, say(&proxy));
		}
	}
	buf_fini(&in);
}

static void
C16_what_cannot_become_one_is_refused_at_its_first_wrong_byte(void **state)
{
	static const struct {
		struct str bytes;
		size_t refused_at; /* with so many bytes */
	} cases[] = {
	    {STR("a1 LOGIN"), 1},
	    {STR("PROXX"), 5},
	    {STR("\r\n\r\n\0\r\nQUIX"), 11},
	    {STR(SIGNATURE "\x23"), 13},
	    {STR(SIGNATURE "\x21\x41\0\x0c"), 14},
	    {STR(SIGNATURE "\x21\x11\xff\xff"), 16},
	};
	struct buf in = BUF_INIT;
	struct proxy proxy;
	struct fault fault;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&in);
		buf_add(&in, cases[i].bytes.ptr, cases[i].refused_at - 1);
		assert_int_equal(proxy_next(&in, &proxy, &fault), 0);
		buf_add_byte(&in, cases[i].bytes.ptr[cases[i].refused_at - 1]);
		assert_int_equal(proxy_next(&in, &proxy, &fault), -1);
	}
	buf_fini(&in);
}

static void
C16_a_header_never_waits_for_more_than_its_bound(void **state)
{
	struct buf in = BUF_INIT;
	struct proxy proxy;
	struct fault fault;

	buf_add_text(&in, "PROXY UNKNOWN ");
	while (buf_len(&in) < PROXY_LINE_MOST - 1)
		buf_add_byte(&in, 'x');
	assert_int_equal(proxy_next(&in, &proxy, &fault), -1); /* CR LF cannot come in time */
	buf_clear(&in);
	buf_add_str(&in, STR(SIGNATURE "\x21\x11\x08\0" ADDRESSES4));
	while (buf_len(&in) + 3 + 255 <= PROXY_MOST) {
		buf_add_str(&in, STR("\xe0\0\xff"));
		for (int i = 0; i < 255; i++)
			buf_add_byte(&in, 'v');
	}
	assert_int_equal(proxy_next(&in, &proxy, &fault), 0);
	buf_add_byte(&in, '\4');
	buf_add_byte(&in, '\0');
	buf_add_byte(&in, (char)(PROXY_MOST - buf_len(&in) - 1));
	while (buf_len(&in) < PROXY_MOST)
		buf_add_byte(&in, 'v');
	assert_int_equal(proxy_next(&in, &proxy, &fault), 1);
	assert_string_equal(say(&proxy), TEXT4);
	assert_int_equal(buf_len(&in), 0);
	buf_fini(&in);
}

/* ---- building */

static struct sockaddr_storage
address(const char *ip, uint16_t port)
{
	struct sockaddr_storage made = {0};
	struct sockaddr_in *sin = (struct sockaddr_in *)&made;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&made;

	if (inet_pton(AF_INET, ip, &sin->sin_addr) == 1) {
		made.ss_family = AF_INET;
		sin->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, ip, &sin6->sin6_addr) == 1) {
		made.ss_family = AF_INET6;
		sin6->sin6_port = htons(port);
	} else {
		made.ss_family = AF_UNIX;
	}
	return made;
}

static void
what_is_built_is_what_was_meant(void **state)
{
	static const struct {
		const char *client, *local, *v1;
		struct str v2;
	} cases[] = {
	    {"192.0.2.7", "198.51.100.1", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r\n",
		STR(SIGNATURE "\x21" TCP4)},
	    {"::ffff:192.0.2.7", "198.51.100.1", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 143\r\n",
		STR(SIGNATURE "\x21" TCP4)},
	    {"2001:db8::7", "2001:db8::1", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 143\r\n",
		STR(SIGNATURE "\x21\x21\0\x24" IP6_7 IP6_1 "\xdc\x04\0\x8f")},
	    {"2001:db8::7", "198.51.100.1",
		"PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 56324 143\r\n",
		STR(SIGNATURE "\x21\x21\0\x24" IP6_7
			      "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\1\xdc\x04\0\x8f")},
	    {"unix", "198.51.100.1", "PROXY UNKNOWN\r\n", STR(SIGNATURE "\x20\0\0\0")},
	    {"192.0.2.7", "unix", "PROXY UNKNOWN\r\n", STR(SIGNATURE "\x20\0\0\0")},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_storage client = address(cases[i].client, 56324);
		struct sockaddr_storage local = address(cases[i].local, 143);

		buf_clear(&out);
		proxy_add_v1(&out, &client, &local);
		assert_string_equal(buf_cstr(&out), cases[i].v1);
		buf_clear(&out);
		proxy_add_v2(&out, &client, &local, NULL);
		assert_int_equal(buf_len(&out), cases[i].v2.len);
		assert_memory_equal(out.mem, cases[i].v2.ptr, cases[i].v2.len);
	}
	buf_fini(&out);
}

static void
a_client_with_tls_is_said_to_have_it(void **state)
{
	static const struct str with_cipher = STR(SIGNATURE
	    "\x21\x11\0\x37" ADDRESSES4 "\x20\0\x28\1\0\0\0\1\x21\0\7TLSv1.3\x23\0\x16"
	    "TLS_AES_128_GCM_SHA256");
	struct proxy_tls tls = {.version = "1.3", .cipher = "TLS_AES_128_GCM_SHA256"};
	struct sockaddr_storage client = address("192.0.2.7", 56324);
	struct sockaddr_storage local = address("198.51.100.1", 143), unix_ = address("unix", 0);
	struct buf out = BUF_INIT;
	struct proxy proxy;
	struct fault fault;

	proxy_add_v2(&out, &client, &local, &tls);
	assert_int_equal(buf_len(&out), with_cipher.len);
	assert_memory_equal(out.mem, with_cipher.ptr, with_cipher.len);
	assert_int_equal(proxy_next(&out, &proxy, &fault), 1);
	assert_string_equal(say(&proxy), TEXT4);
	assert_int_equal(buf_len(&out), 0);
	tls.cipher = NULL;
	proxy_add_v2(&out, &client, &local, &tls);
	assert_int_equal(buf_len(&out), 16 + 12 + 3 + 5 + 10);
	buf_clear(&out);
	proxy_add_v2(&out, &unix_, &local, &tls);
	assert_int_equal(buf_len(&out), 16);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C16_a_header_is_one_however_it_is_cut),
	    cmocka_unit_test(C16_what_cannot_become_one_is_refused_at_its_first_wrong_byte),
	    cmocka_unit_test(C16_a_header_never_waits_for_more_than_its_bound),
	    cmocka_unit_test(what_is_built_is_what_was_meant),
	    cmocka_unit_test(a_client_with_tls_is_said_to_have_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
