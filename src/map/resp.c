/*
 * resp.c - Redis's replies, RESP2                                       (pure)
 *
 * hiredis parses, and calls us to make each object: there we count and refuse.
 * Two things it does not look at are looked at here: that a string is followed
 * by CR LF, and that the length a string claims is one we would ever take, before
 * its bytes have arrived.
 */
#include "map/resp.h"

#include "base/mem.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <stdlib.h>

struct resp {
	enum resp_type type;
	int64_t integer;
	size_t count; /* elements, or bytes of text */
	struct resp **elements;
	char text[]; /* with a NUL behind it */
};

struct resp_reader {
	redisReader *redis;
	const char *fault; /* what we refused, static; NULL: hiredis's own words */
	size_t elements, bytes; /* of the reply being read */
};

enum { HEADER_MAX_BYTES = 32, LINE_MAX_BYTES = 64 * 1024 };

#if HIREDIS_MAJOR >= 1
typedef size_t array_count;
#else
typedef int array_count;
#endif

static struct resp *
resp_new(const redisReadTask *task, enum resp_type type, size_t text_len)
{
	struct resp *resp = xcalloc(1, sizeof(*resp) + text_len + 1);
	struct resp *parent;

	resp->type = type;
	if (task->parent != NULL) {
		parent = task->parent->obj;
		must(parent->type == RESP_ARRAY && (size_t)task->idx < parent->count);
		parent->elements[task->idx] = resp;
	}
	return resp;
}

static void *
refuse(const redisReadTask *task, const char *why)
{
	struct resp_reader *reader = task->privdata;

	if (reader->fault == NULL)
		reader->fault = why;
	return NULL;
}

static void *
make_string(const redisReadTask *task, char *bytes, size_t len)
{
	struct resp_reader *reader = task->privdata;
	enum resp_type type;
	struct resp *resp;

	switch (task->type) {
	case REDIS_REPLY_STRING:
		if (bytes[len] != '\r' || bytes[len + 1] != '\n')
			return refuse(task, "a string that does not end where it says");
		type = RESP_STRING;
		break;
	case REDIS_REPLY_STATUS:
		type = RESP_STATUS;
		break;
	case REDIS_REPLY_ERROR:
		type = RESP_ERROR;
		break;
	default:
		return refuse(task, "a type that RESP2 does not have");
	}
	if (len > RESP_STRING_MAX_BYTES || (reader->bytes += len) > RESP_REPLY_MAX_BYTES)
		return refuse(task, "a reply that is too long");
	resp = resp_new(task, type, len);
	resp->count = len;
	if (len > 0)
		memcpy(resp->text, bytes, len);
	return resp;
}

static void *
make_array(const redisReadTask *task, array_count count)
{
	struct resp_reader *reader = task->privdata;
	const redisReadTask *up;
	struct resp *resp;
	int depth = 1;

	if (task->type != REDIS_REPLY_ARRAY)
		return refuse(task, "a type that RESP2 does not have");
	for (up = task->parent; up != NULL; up = up->parent)
		depth++;
	if (depth > RESP_DEPTH_MOST)
		return refuse(task, "arrays nested too deeply");
	if (count < 0 || (size_t)count > RESP_ELEMENTS_MOST - reader->elements)
		return refuse(task, "an array with too many elements");
	reader->elements += (size_t)count;
	resp = resp_new(task, RESP_ARRAY, 0);
	resp->count = (size_t)count;
	if (count > 0)
		resp->elements = xnew_array(struct resp *, (size_t)count);
	return resp;
}

static void *
make_integer(const redisReadTask *task, long long value)
{
	struct resp *resp;

	if (task->type != REDIS_REPLY_INTEGER)
		return refuse(task, "a type that RESP2 does not have");
	resp = resp_new(task, RESP_INTEGER, 0);
	resp->integer = value;
	return resp;
}

static void *
make_nil(const redisReadTask *task)
{
	return resp_new(task, RESP_NIL, 0);
}

static void
free_object(void *object)
{
	struct resp *resp = object;
	size_t i;

	if (resp == NULL)
		return;
	if (resp->type == RESP_ARRAY)
		for (i = 0; i < resp->count; i++)
			free_object(resp->elements[i]);
	free(resp->elements);
	free(resp);
}

#if HIREDIS_MAJOR >= 1
static void *
make_double(const redisReadTask *task, double value, char *bytes, size_t len)
{
	return refuse(task, "a type that RESP2 does not have");
}

static void *
make_bool(const redisReadTask *task, int value)
{
	return refuse(task, "a type that RESP2 does not have");
}
#endif

static redisReplyObjectFunctions makers = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = free_object,
#if HIREDIS_MAJOR >= 1
    .createDouble = make_double,
    .createBool = make_bool,
#endif
};

struct resp_reader *
resp_reader_new(void)
{
	struct resp_reader *reader = xnew(struct resp_reader);

	reader->redis = redisReaderCreateWithFunctions(&makers);
	must(reader->redis != NULL);
	reader->redis->privdata = reader;
	return reader;
}

void
resp_reader_free(struct resp_reader **reader)
{
	if (*reader == NULL)
		return;
	redisReaderFree((*reader)->redis);
	free(*reader);
	*reader = NULL;
}

void
resp_feed(struct resp_reader *reader, struct str bytes)
{
	if (bytes.len > 0)
		redisReaderFeed(reader->redis, bytes.ptr, bytes.len);
}

/*
 * The rest that waits for more bytes is a line without its end, or a string of
 * which the line with the length is there. Would we take it when it is whole?
 */
static bool
rest_is_acceptable(struct resp_reader *reader)
{
	const char *rest = reader->redis->buf + reader->redis->pos, *end;
	size_t len = reader->redis->len - reader->redis->pos;
	char number[HEADER_MAX_BYTES + 1] = "";
	long long length;

	end = memmem(rest, len < HEADER_MAX_BYTES ? len : HEADER_MAX_BYTES, "\r\n", 2);
	if (end == NULL)
		return len <= LINE_MAX_BYTES;
	memcpy(number, rest, (size_t)(end - rest));
	length = strtoll(number, NULL, 10);
	return length >= 0 && length <= RESP_STRING_MAX_BYTES;
}

int
resp_next(struct resp_reader *reader, struct resp **resp_r, struct fault *fault_r)
{
	void *reply = NULL;

	if (reader->fault == NULL && redisReaderGetReply(reader->redis, &reply) == REDIS_OK) {
		if (reply != NULL) {
			reader->elements = reader->bytes = 0;
			*resp_r = reply;
			return 1;
		}
		if (rest_is_acceptable(reader))
			return 0;
		reader->fault = "a reply that is too long";
	}
	return fault_set(fault_r, VERDICT_TEMP, "not a Redis reply: %s",
	    reader->fault != NULL ? reader->fault : "protocol error");
}

enum resp_type
resp_type(const struct resp *resp)
{
	return resp->type;
}

struct str
resp_str(const struct resp *resp)
{
	if (resp->type == RESP_STRING || resp->type == RESP_STATUS || resp->type == RESP_ERROR)
		return str_make(resp->text, resp->count);
	return STR("");
}

int64_t
resp_int(const struct resp *resp)
{
	return resp->integer;
}

size_t
resp_count(const struct resp *resp)
{
	return resp->type == RESP_ARRAY ? resp->count : 0;
}

const struct resp *
resp_at(const struct resp *resp, size_t i)
{
	must(resp->type == RESP_ARRAY && i < resp->count);
	return resp->elements[i];
}

bool
resp_is_error(const struct resp *resp, const char *word)
{
	size_t len = strlen(word);

	return resp->type == RESP_ERROR && str_starts(resp_str(resp), word) &&
	       (resp->count == len || resp->text[len] == ' ');
}

void
resp_free(struct resp **resp)
{
	free_object(*resp);
	*resp = NULL;
}

void
resp_command(struct buf *out, const struct str *argv, size_t argc)
{
	size_t i;

	buf_add_byte(out, '*');
	buf_add_u64(out, argc);
	buf_add(out, "\r\n", 2);
	for (i = 0; i < argc; i++) {
		buf_add_byte(out, '$');
		buf_add_u64(out, argv[i].len);
		buf_add(out, "\r\n", 2);
		buf_add_str(out, argv[i]);
		buf_add(out, "\r\n", 2);
	}
}
