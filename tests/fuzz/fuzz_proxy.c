/*
 * fuzz_proxy.c - PROXY headers: the same whole and in pieces, and built again
 *
 * The first byte says how long the pieces are.
 */
#include "net/proxy.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
understand(struct str bytes, size_t piece_bytes, struct proxy *proxy, size_t *left_r)
{
	struct buf in = BUF_INIT;
	struct fault fault;
	int rc = 0;

	while (bytes.len > 0 && rc == 0) {
		struct str piece =
		    str_make(bytes.ptr, bytes.len < piece_bytes ? bytes.len : piece_bytes);

		buf_add_str(&in, piece);
		bytes = str_from(bytes, piece.len);
		rc = proxy_next(&in, proxy, &fault);
		must(rc != 0 || buf_len(&in) < PROXY_MOST);
	}
	*left_r = buf_len(&in) + bytes.len;
	buf_fini(&in);
	return rc;
}

static void
build_again(const struct proxy *proxy)
{
	static const struct proxy_tls tls = {"1.3", "TLS_AES_256_GCM_SHA384"};
	struct buf out = BUF_INIT;
	struct proxy again;
	struct fault fault;

	proxy_add_v1(&out, &proxy->client, &proxy->local);
	proxy_add_v2(&out, &proxy->client, &proxy->local, &tls);
	for (int i = 0; i < 2; i++) {
		must(proxy_next(&out, &again, &fault) == 1);
		must(!again.is_own);
	}
	must(buf_len(&out) == 0);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy whole, pieces;
	size_t whole_left, pieces_left;
	struct str bytes;
	int rc;

	if (size < 2)
		return 0;
	bytes = str_make((const char *)data + 1, size - 1);
	rc = understand(bytes, bytes.len, &whole, &whole_left);
	must(understand(bytes, (size_t)data[0] + 1, &pieces, &pieces_left) == rc);
	if (rc != 1)
		return 0;
	must(whole_left == pieces_left);
	must(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	if (!whole.is_own)
		build_again(&whole);
	return 0;
}
