/*
 * snapshot_file.c - what a node knows, as bytes                         (pure)
 */
#include "map/snapshot_file.h"

#include "base/mem.h"
#include "base/pack.h"
#include "map/account.h"
#include "map/fetch.h"
#include "map/record.h"
#include "map/tombs_file.h"

#include <sodium.h>
#include <stdlib.h>

enum { FORMAT = 2, CHECK_BYTES = 32 };
enum { ROW_TRAILER, ROW_FINDING, ROW_DOMAIN, ROW_KEY };
enum { NAME_MOST = ACCOUNT_MAX_BYTES, MATCHED_MOST = ACCOUNT_MAX_BYTES + 64 };
enum { FLAG_UNKNOWN = 1 };

static const struct str magic = {"splitmx.snapshot", 16};

struct snapshot_writer {
	crypto_generichash_state state; /* first: it wants to lie at a multiple of 64 */
	struct snapshot_counts counts;
};

/* ---- writing */

struct snapshot_writer *
snapshot_writer_new(void)
{
	size_t align = _Alignof(crypto_generichash_state);
	struct snapshot_writer *writer =
	    aligned_alloc(align, (sizeof(*writer) + align - 1) / align * align);

	must(writer != NULL);
	writer->counts = (struct snapshot_counts){0};
	crypto_generichash_init(&writer->state, NULL, 0, CHECK_BYTES);
	return writer;
}

void
snapshot_writer_free(struct snapshot_writer **writer)
{
	free(*writer);
	*writer = NULL;
}

/* What was appended to out since it had "before" bytes. */
static void
written(struct snapshot_writer *writer, const struct buf *out, size_t before)
{
	struct str piece = str_from(buf_str(out), before);

	crypto_generichash_update(&writer->state, (const unsigned char *)piece.ptr, piece.len);
}

void
snapshot_write_head(struct snapshot_writer *writer, const struct snapshot_head *head,
    struct buf *out)
{
	size_t before = buf_len(out);

	buf_add_str(out, magic);
	pack_number(out, FORMAT, 4);
	pack_text(out, head->map_id, 1);
	pack_text(out, head->prefix, 1);
	pack_text(out, head->boot_id, 1);
	buf_add(out, head->reading, sizeof(head->reading));
	buf_add(out, head->series, sizeof(head->series));
	pack_number(out, head->number, 8);
	pack_number(out, head->epoch, 8);
	pack_number(out, head->end.lease_until_ms, 8);
	pack_number(out, head->end.grace_ms, 8);
	pack_number(out, head->end.said_ms, 8);
	written(writer, out, before);
}

void
snapshot_write_finding(struct snapshot_writer *writer, struct str asked,
    const struct finding *finding, struct buf *out)
{
	size_t before = buf_len(out);

	must(finding->verdict == VERDICT_FOUND);
	pack_number(out, ROW_FINDING, 1);
	pack_number(out, finding->hold, 1);
	pack_number(out, finding->is_unknown ? FLAG_UNKNOWN : 0, 1);
	pack_text(out, asked, 2);
	pack_text(out, finding->owner, 1);
	pack_text(out, str_eq(finding->account, asked) ? STR("") : finding->account, 2);
	pack_text(out, finding->matched, 2);
	writer->counts.findings++;
	written(writer, out, before);
}

void
snapshot_write_domain(struct snapshot_writer *writer, struct str name, bool is_sure,
    struct buf *out)
{
	size_t before = buf_len(out);

	pack_number(out, ROW_DOMAIN, 1);
	pack_number(out, is_sure, 1);
	pack_text(out, name, 1);
	writer->counts.domains++;
	written(writer, out, before);
}

/* Longer names have no tombstone: so nothing may be said of them. */
static bool
key_is_asked_for(struct str key)
{
	struct str name;

	return key.len <= MIRROR_KEY_MAX_BYTES && fetch_own_key_name(key, &name) &&
	       name.len <= TOMB_NAME_MOST;
}

void
snapshot_write_key(struct snapshot_writer *writer, struct str key, enum mirror_what what,
    struct str value, struct buf *out)
{
	size_t before = buf_len(out);

	must(what != MIRROR_ABSENT && value.len <= MIRROR_VALUE_MAX_BYTES);
	if (!key_is_asked_for(key))
		return;
	pack_number(out, ROW_KEY, 1);
	pack_number(out, what, 1);
	pack_text(out, key, 2);
	if (what == MIRROR_STRING)
		pack_text(out, value, 2);
	writer->counts.keys++;
	written(writer, out, before);
}

void
snapshot_write_trailer(struct snapshot_writer *writer, unsigned flags, struct buf *out)
{
	unsigned char check[CHECK_BYTES];
	size_t before = buf_len(out);

	pack_number(out, ROW_TRAILER, 1);
	pack_number(out, flags, 1);
	pack_number(out, writer->counts.findings, 8);
	pack_number(out, writer->counts.domains, 8);
	pack_number(out, writer->counts.keys, 8);
	written(writer, out, before);
	crypto_generichash_final(&writer->state, check, sizeof(check));
	buf_add(out, check, sizeof(check));
}

struct snapshot_counts
snapshot_writer_counts(const struct snapshot_writer *writer)
{
	return writer->counts;
}

/* ---- reading */

static void
read_head(struct unpack *in, struct snapshot_head *head)
{
	struct str reading, series;

	head->map_id = unpack_text(in, 1, SNAPSHOT_TEXT_MOST);
	head->prefix = unpack_text(in, 1, SNAPSHOT_TEXT_MOST);
	head->boot_id = unpack_text(in, 1, SNAPSHOT_TEXT_MOST);
	reading = unpack_bytes(in, sizeof(head->reading));
	series = unpack_bytes(in, sizeof(head->series));
	if (!in->failed) {
		memcpy(head->reading, reading.ptr, reading.len);
		memcpy(head->series, series.ptr, series.len);
	}
	head->number = unpack_number(in, 8);
	head->epoch = unpack_number(in, 8);
	head->end.lease_until_ms = unpack_number(in, 8);
	head->end.grace_ms = unpack_number(in, 8);
	head->end.said_ms = unpack_number(in, 8);
}

static void
read_finding(struct unpack *in, struct snapshot_row *row)
{
	struct finding *finding = &row->finding;
	uint64_t hold = unpack_number(in, 1), flags = unpack_number(in, 1);

	row->asked = unpack_text(in, 2, NAME_MOST);
	finding->owner = unpack_text(in, 1, RECORD_OWNER_MAX_BYTES);
	finding->account = unpack_text(in, 2, NAME_MOST);
	finding->matched = unpack_text(in, 2, MATCHED_MOST);
	if (finding->account.len == 0)
		finding->account = row->asked;
	finding->verdict = VERDICT_FOUND;
	finding->source = SOURCE_MEMORY;
	finding->hold = (enum hold)hold;
	finding->is_unknown = (flags & FLAG_UNKNOWN) != 0;
	if (row->asked.len == 0 || hold > HOLD_ALL || flags > FLAG_UNKNOWN ||
	    !record_owner_is_valid(finding->owner))
		in->failed = true;
}

static void
read_domain(struct unpack *in, struct snapshot_row *row)
{
	uint64_t sure = unpack_number(in, 1);

	row->is_sure = sure == 1;
	row->domain = unpack_text(in, 1, SNAPSHOT_TEXT_MOST);
	if (sure > 1 || row->domain.len == 0)
		in->failed = true;
}

static void
read_key(struct unpack *in, struct snapshot_row *row)
{
	uint64_t what = unpack_number(in, 1);

	row->key = unpack_text(in, 2, MIRROR_KEY_MAX_BYTES);
	if (what == MIRROR_STRING)
		row->value = unpack_text(in, 2, MIRROR_VALUE_MAX_BYTES);
	row->what = (enum mirror_what)what;
	if (what > MIRROR_ODD || what == MIRROR_ABSENT || !key_is_asked_for(row->key))
		in->failed = true;
}

/* 1 a row, 0 the trailer, -1 neither */
static int
read_row(struct unpack *in, struct snapshot_row *row)
{
	*row = (struct snapshot_row){0};
	switch (unpack_number(in, 1)) {
	case ROW_TRAILER:
		return in->failed ? -1 : 0;
	case ROW_FINDING:
		row->kind = SNAPSHOT_FINDING;
		read_finding(in, row);
		break;
	case ROW_DOMAIN:
		row->kind = SNAPSHOT_DOMAIN;
		read_domain(in, row);
		break;
	case ROW_KEY:
		row->kind = SNAPSHOT_KEY;
		read_key(in, row);
		break;
	default:
		in->failed = true;
	}
	return in->failed ? -1 : 1;
}

static bool
check_is_right(struct str bytes, struct str check)
{
	unsigned char computed[CHECK_BYTES];

	crypto_generichash(computed, sizeof(computed), (const unsigned char *)bytes.ptr, bytes.len,
	    NULL, 0);
	return memcmp(computed, check.ptr, sizeof(computed)) == 0;
}

int
snapshot_read(struct snapshot_reader *reader, struct str bytes, struct fault *fault_r)
{
	struct unpack in = {.rest = bytes};
	struct snapshot_row row;
	struct snapshot_counts *counts = &reader->counts;
	int rc;

	*reader = (struct snapshot_reader){0};
	if (bytes.len < CHECK_BYTES)
		return fault_set(fault_r, VERDICT_TEMP, "is cut short");
	in.rest.len -= CHECK_BYTES;
	if (!check_is_right(in.rest, str_from(bytes, in.rest.len)))
		return fault_set(fault_r, VERDICT_TEMP, "is damaged: its checksum is wrong");
	if (!str_eq(unpack_bytes(&in, magic.len), magic) || unpack_number(&in, 4) != FORMAT)
		return fault_set(fault_r, VERDICT_TEMP, "is of another version of splitmx");
	read_head(&in, &reader->head);
	reader->rows = in.rest;
	while ((rc = read_row(&in, &row)) == 1)
		*(row.kind == SNAPSHOT_FINDING    ? &counts->findings
		    : row.kind == SNAPSHOT_DOMAIN ? &counts->domains
						  : &counts->keys) += 1;
	reader->flags = (unsigned)unpack_number(&in, 1);
	if (rc == -1 || unpack_number(&in, 8) != counts->findings ||
	    unpack_number(&in, 8) != counts->domains || unpack_number(&in, 8) != counts->keys ||
	    in.failed || in.rest.len > 0 || reader->flags > SNAPSHOT_FLAGS)
		return fault_set(fault_r, VERDICT_TEMP, "does not hold what it should");
	return 0;
}

bool
snapshot_next(struct snapshot_reader *reader, struct snapshot_row *row_r)
{
	struct unpack in = {.rest = reader->rows};

	if (read_row(&in, row_r) != 1)
		return false;
	row_r->finding.epoch = reader->head.epoch;
	reader->rows = in.rest;
	return true;
}
