/*
 * tombs_file.c - what a snapshot must not be believed in any more, as bytes (pure)
 *
 * A record is its length and number with a checksum, then its body with one. The
 * length has its own because a wrong one could pass for a record cut short. The
 * key of all of them is the series, so that no other file's blocks fit in.
 */
#include "map/tombs_file.h"

#include "base/mem.h"
#include "base/pack.h"

#include <sodium.h>

enum { FORMAT = 1, CHECK_BYTES = 16, BODY_MOST = 1 + TOMB_NAME_MOST };
enum { FRAME_BYTES = 4 + 8 + CHECK_BYTES };

static const struct str magic = {"splitmx.tombs\0\0\0", 16};

static void
check_make(const uint8_t series[static SNAPSHOT_KEY_BYTES], struct str bytes,
    unsigned char check_r[static CHECK_BYTES])
{
	_Static_assert(CHECK_BYTES >= crypto_generichash_BYTES_MIN, "a checksum is too short");
	_Static_assert(SNAPSHOT_KEY_BYTES >= crypto_generichash_KEYBYTES_MIN, "so is its key");
	crypto_generichash(check_r, CHECK_BYTES, (const unsigned char *)bytes.ptr, bytes.len,
	    series, SNAPSHOT_KEY_BYTES);
}

/* ---- writing */

/* Of what was appended to out since it had "before" bytes. */
static void
check_write(const uint8_t series[static SNAPSHOT_KEY_BYTES], struct buf *out, size_t before)
{
	unsigned char check[CHECK_BYTES];

	check_make(series, str_from(buf_str(out), before), check);
	buf_add(out, check, sizeof(check));
}

void
tombs_write_head(const struct tombs_head *head, struct buf *out)
{
	size_t before = buf_len(out);

	buf_add_str(out, magic);
	pack_number(out, FORMAT, 4);
	buf_add(out, head->series, sizeof(head->series));
	pack_number(out, head->base, 8);
	check_write(head->series, out, before);
}

static void
write_body(const struct tomb *tomb, struct buf *out)
{
	pack_number(out, tomb->kind, 1);
	switch (tomb->kind) {
	case TOMB_NAME:
		must(tomb->name.len <= TOMB_NAME_MOST);
		buf_add_str(out, tomb->name);
		break;
	case TOMB_ROWS:
	case TOMB_DOMAINS:
		break;
	case TOMB_END:
		pack_number(out, tomb->end.lease_until_ms, 8);
		pack_number(out, tomb->end.grace_ms, 8);
		pack_number(out, tomb->end.said_ms, 8);
		break;
	}
}

static size_t
body_bytes(const struct tomb *tomb)
{
	return 1 + (tomb->kind == TOMB_NAME ? tomb->name.len : tomb->kind == TOMB_END ? 24 : 0);
}

void
tombs_write(const struct tombs_head *head, uint64_t number, const struct tomb *tomb,
    struct buf *out)
{
	size_t before = buf_len(out);

	pack_number(out, body_bytes(tomb), 4);
	pack_number(out, number, 8);
	check_write(head->series, out, before);
	/* The frame's checksum is under the body's: a body fits behind its own number alone. */
	before = buf_len(out) - CHECK_BYTES;
	write_body(tomb, out);
	check_write(head->series, out, before);
}

/* ---- reading */

static bool
check_is_right(const uint8_t series[static SNAPSHOT_KEY_BYTES], struct str bytes, struct str check)
{
	unsigned char computed[CHECK_BYTES];

	check_make(series, bytes, computed);
	return check.len == CHECK_BYTES && memcmp(computed, check.ptr, CHECK_BYTES) == 0;
}

int
tombs_read(struct tombs_reader *reader, struct str bytes, struct fault *fault_r)
{
	struct unpack in = {.rest = bytes};
	struct str series, checked;

	*reader = (struct tombs_reader){0};
	if (!str_eq(unpack_bytes(&in, magic.len), magic) || unpack_number(&in, 4) != FORMAT)
		return fault_set(fault_r, VERDICT_TEMP,
		    "is damaged or of another version of splitmx");
	series = unpack_bytes(&in, SNAPSHOT_KEY_BYTES);
	reader->head.base = reader->number = unpack_number(&in, 8);
	checked = str_make(bytes.ptr, bytes.len - in.rest.len);
	if (!in.failed)
		memcpy(reader->head.series, series.ptr, series.len);
	if (!check_is_right(reader->head.series, checked, unpack_bytes(&in, CHECK_BYTES)) ||
	    in.failed)
		return fault_set(fault_r, VERDICT_TEMP,
		    "is damaged: the checksum of its head is wrong");
	reader->rest = in.rest;
	return 0;
}

static bool
read_body(struct str body, struct tomb *tomb)
{
	struct unpack in = {.rest = body};
	uint64_t kind = unpack_number(&in, 1);

	*tomb = (struct tomb){.kind = (enum tomb_kind)kind};
	if (kind == TOMB_NAME)
		tomb->name = unpack_bytes(&in, in.rest.len);
	if (kind == TOMB_END) {
		tomb->end.lease_until_ms = unpack_number(&in, 8);
		tomb->end.grace_ms = unpack_number(&in, 8);
		tomb->end.said_ms = unpack_number(&in, 8);
	}
	return !in.failed && in.rest.len == 0 && kind <= TOMB_END;
}

int
tombs_next(struct tombs_reader *reader, struct tomb *tomb_r, struct fault *fault_r)
{
	const uint8_t *series = reader->head.series;
	struct unpack in = {.rest = reader->rest};
	uint64_t len = unpack_number(&in, 4), number = unpack_number(&in, 8);
	struct str frame = str_make(reader->rest.ptr, 4 + 8), check, body;

	if (reader->rest.len == 0)
		return 0;
	check = unpack_bytes(&in, CHECK_BYTES);
	reader->is_torn = in.failed;
	if (reader->is_torn)
		return 0;
	if (!check_is_right(series, frame, check) || len > BODY_MOST ||
	    number != reader->number + 1)
		return fault_set(fault_r, VERDICT_TEMP, "is damaged behind record %llu",
		    (unsigned long long)reader->number);
	body = unpack_bytes(&in, (size_t)len);
	check = unpack_bytes(&in, CHECK_BYTES);
	reader->is_torn = in.failed;
	if (reader->is_torn)
		return 0;
	if (!check_is_right(series, str_make(body.ptr - CHECK_BYTES, body.len + CHECK_BYTES),
		check) ||
	    !read_body(body, tomb_r))
		return fault_set(fault_r, VERDICT_TEMP, "is damaged in record %llu",
		    (unsigned long long)number);
	reader->rest = in.rest;
	reader->number = number;
	return 1;
}
