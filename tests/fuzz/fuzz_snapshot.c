/*
 * fuzz_snapshot.c - any bytes as a snapshot and as tombstones
 *
 * Once as they are, which the checksums refuse, and once with checksums that are
 * right: of the whole as a snapshot, of each line as a tombstone.
 */
#include "map/snapshot_file.h"
#include "map/tombs_file.h"

#include "base/mem.h"
#include "base/pack.h"
#include "map/fetch.h"

#include <sodium.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
snapshot_try(struct str bytes)
{
	struct snapshot_reader reader;
	struct snapshot_row row;
	struct fault fault;
	struct snapshot_counts seen = {0};
	struct str name;

	if (snapshot_read(&reader, bytes, &fault) == -1)
		return;
	while (snapshot_next(&reader, &row)) {
		if (row.kind == SNAPSHOT_FINDING) {
			must(row.asked.len > 0 && row.finding.account.len > 0);
			must(row.finding.owner.len > 0 && row.finding.verdict == VERDICT_FOUND);
			seen.findings++;
		} else if (row.kind == SNAPSHOT_KEY) {
			must(fetch_own_key_name(row.key, &name) && name.len <= TOMB_NAME_MOST);
			must(row.what != MIRROR_ABSENT && row.what <= MIRROR_ODD);
			must(row.what == MIRROR_STRING || row.value.len == 0);
			seen.keys++;
		} else {
			must(row.domain.len > 0 && row.domain.len <= SNAPSHOT_TEXT_MOST);
			seen.domains++;
		}
	}
	must(memcmp(&seen, &reader.counts, sizeof(seen)) == 0);
}

static void
tombs_try(struct str bytes)
{
	struct tombs_reader reader;
	struct fault fault;
	struct tomb tomb;

	if (tombs_read(&reader, bytes, &fault) == -1)
		return;
	while (tombs_next(&reader, &tomb, &fault) == 1)
		must(tomb.kind <= TOMB_END && tomb.name.len <= TOMB_NAME_MOST);
}

static void
check_add(struct buf *out, size_t from, size_t len, struct str key)
{
	unsigned char check[32];

	crypto_generichash(check, len, (const unsigned char *)buf_str(out).ptr + from,
	    buf_len(out) - from, (const unsigned char *)key.ptr, key.len);
	buf_add(out, check, len);
}

/* A record as tombs_file.c makes it, with this body. */
static void
tomb_add(struct buf *out, uint64_t number, struct str body, struct str series)
{
	size_t from = buf_len(out);

	pack_number(out, body.len, 4);
	pack_number(out, number, 8);
	check_add(out, from, 16, series);
	from = buf_len(out) - 16;
	buf_add_str(out, body);
	check_add(out, from, 16, series);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make((const char *)data, size), rest = bytes;
	const struct tombs_head head = {.series = "0123456789abcde", .base = 0};
	struct buf made = BUF_INIT;

	snapshot_try(bytes);
	tombs_try(bytes);
	buf_add_str(&made, bytes);
	check_add(&made, 0, 32, STR(""));
	snapshot_try(buf_str(&made));

	buf_clear(&made);
	tombs_write_head(&head, &made);
	for (uint64_t number = 1; rest.len > 0; number++) {
		size_t len = str_find(rest, '\n');

		tomb_add(&made, number, str_make(rest.ptr, len),
		    str_make((const char *)head.series, sizeof(head.series)));
		rest = str_from(rest, len + (len < rest.len));
	}
	tombs_try(buf_str(&made));
	buf_fini(&made);
	return 0;
}
