/*
 * test_milter_loop.c - is this message going in a circle?
 *
 * A message's traces are written in a line, newest first: "mx1@-3:ann+bob" is
 * one of mx1's, 3 s ago, for ann and bob; "=" behind it is the same again.
 */
#include "milter/loop.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "trace_case.h"

enum { NOW = 1763730000, TRACES_MOST = 80 };

static const struct loop_limits limits = {LOOP_YOUNG_S, LOOP_VISITS_MOST};

static const struct {
	const char *what, *traces, *recipients;
	enum loop_verdict verdict;
	unsigned visits;
	unsigned age_s;
	size_t recipient;
} rows[] = {
    {"no header", "", "ann", LOOP_NONE, 0, 0, 0},
    {"no recipient", "mx1@-3:ann", "", LOOP_NONE, 0, 0, 0},
    {"the same recipient at once", "mx1@0:ann", "ann", LOOP_YOUNG, 1, 0, 0},
    {"by way of the other side", "old1@-1:ann mx1@-3:ann", "ann", LOOP_YOUNG, 1, 3, 0},
    {"39 s", "mx1@-39:ann", "ann", LOOP_YOUNG, 1, 39, 0},
    {"40 s", "mx1@-40:ann", "ann", LOOP_NONE, 0, 0, 0},
    {"an hour", "mx1@-3600:ann", "ann", LOOP_NONE, 0, 0, 0},
    {"an old visit and a young one", "mx1@-9:ann old1@-10:ann mx1@-600:ann", "ann", LOOP_YOUNG, 2,
	9, 0},
    {"for somebody else", "mx1@-3:ann", "bob", LOOP_NONE, 0, 0, 0},
    {"a list that ann is on", "mx1@-3:list", "ann bob cat", LOOP_NONE, 0, 0, 0},
    {"one of many", "mx1@-3:cat", "ann bob cat dan", LOOP_YOUNG, 1, 3, 2},
    {"the peer's own visit says nothing here", "old1@-3:ann", "ann", LOOP_NONE, 0, 0, 0},
    {"another instance whose name begins alike", "mx10@-3:ann", "ann", LOOP_NONE, 0, 0, 0},
    {"our clock was set back a little", "mx1@20:ann", "ann", LOOP_YOUNG, 1, 0, 0},
    {"our clock was set back a day", "mx1@86400:ann", "ann", LOOP_NONE, 0, 0, 0},
    {"the ninth visit, all old",
	"mx1@-60:ann mx1@-120:ann mx1@-180:ann mx1@-240:ann mx1@-300:ann mx1@-360:ann mx1@-420:ann mx1@-480:ann mx1@-540:ann",
	"ann", LOOP_NONE, 0, 0, 0},
    {"the tenth",
	"mx1@-60:ann mx1@-120:ann mx1@-180:ann mx1@-240:ann mx1@-300:ann mx1@-360:ann mx1@-420:ann mx1@-480:ann mx1@-540:ann mx1@-600:ann",
	"ann", LOOP_ENDLESS, 10, 60, 0},
    {"ten of different people",
	"mx1@-60:a mx1@-120:b mx1@-180:c mx1@-240:d mx1@-300:e mx1@-360:f mx1@-420:g mx1@-480:h mx1@-540:i mx1@-600:j",
	"j", LOOP_NONE, 0, 0, 0},
    {"ten of the peer",
	"old1@-60:ann old1@-120:ann old1@-180:ann old1@-240:ann old1@-300:ann old1@-360:ann old1@-420:ann old1@-480:ann old1@-540:ann old1@-600:ann",
	"ann", LOOP_NONE, 0, 0, 0},
    {"one that somebody has copied ten times",
	"mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann= mx1@-60:ann=",
	"ann", LOOP_NONE, 0, 0, 0},
    {"for good outweighs for now",
	"mx1@-3:bob mx1@-60:ann mx1@-120:ann mx1@-180:ann mx1@-240:ann mx1@-300:ann mx1@-360:ann mx1@-420:ann mx1@-480:ann mx1@-540:ann mx1@-600:ann",
	"bob ann", LOOP_ENDLESS, 10, 60, 1},
};

static size_t
words(char *text, char **words_r, size_t most)
{
	size_t count = 0;
	char *rest = NULL;

	for (char *word = strtok_r(text, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < most);
		words_r[count++] = word;
	}
	return count;
}

static size_t
read_traces(const struct trace_keys *keys, const char *line, struct trace *traces)
{
	char *text = xstrdup(line), *found[TRACES_MOST];
	size_t count = words(text, found, TRACES_MOST);

	for (size_t i = 0; i < count; i++) {
		char *name = strchr(found[i], ':') + 1, *age = strchr(found[i], '@') + 1,
		     *same = strchr(name, '=');
		const char *const addresses[] = {name, NULL};

		age[-1] = '\0';
		if (same != NULL)
			*same = '\0';
		case_trace(&traces[i], trace_keys_first(keys), found[i],
		    (uint64_t)(NOW + atol(age)), same != NULL ? 0xff : (unsigned char)i, addresses);
		bloom_seal(&traces[i].bloom,
		    (struct bloom_key){traces[i].key->hide, traces[i].nonce});
	}
	free(text);
	return count;
}

static void
circles_are_told_from_mail_for_somebody_else(void **state)
{
	struct trace_keys *keys = case_keys(FILE_BOTH);
	struct trace *traces = xnew_array(struct trace, TRACES_MOST);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t count = read_traces(keys, rows[i].traces, traces);
		char *text = xstrdup(rows[i].recipients), *names[8];
		size_t name_count = words(text, names, ARRAY_LEN(names));
		struct str recipients[8];
		struct loop loop;

		for (size_t k = 0; k < name_count; k++)
			recipients[k] = str_of(names[k]);
		loop = loop_decide(traces, count, STR("mx1"), recipients, name_count, NOW, limits);
		if (loop.verdict != rows[i].verdict || loop.visits != rows[i].visits ||
		    loop.age_s != rows[i].age_s || loop.recipient != rows[i].recipient)
			fail_msg("%s: %d, %u visits, %u s, recipient %zu", rows[i].what,
			    loop.verdict, loop.visits, (unsigned)loop.age_s, loop.recipient);
		free(text);
	}
	free(traces);
	trace_keys_free(&keys);
}

static void
a_saturated_trace_claims_no_circle(void **state)
{
	struct trace_keys *keys = case_keys(FILE_BOTH);
	static const char *const nobody[] = {NULL};
	struct str ann = STR("ann");
	struct trace trace;
	char name[16];

	case_trace(&trace, trace_keys_first(keys), "mx1", NOW, 's', nobody);
	trace_add(&trace, ann);
	for (int i = 0; i < 500; i++)
		trace_add(&trace, str_make(name, (size_t)snprintf(name, sizeof(name), "u%d", i)));
	assert_true(trace.bloom.is_saturated);
	assert_int_equal(loop_decide(&trace, 1, STR("mx1"), &ann, 1, NOW, limits).verdict,
	    LOOP_NONE);
	trace_keys_free(&keys);
}

static void
the_way_is_said_oldest_first_and_has_an_end(void **state)
{
	static const struct {
		const char *traces, *path;
	} paths[] = {
	    {"", "mx1"},
	    {"old1@-1:ann mx1@-3:ann", "mx1, old1, mx1"},
	    {"h@-1:a g@-2:a f@-3:a e@-4:a d@-5:a c@-6:a b@-7:a a@-8:a",
		"a, b, c, d, e, f, g, h, mx1"},
	    {"i@-1:a h@-1:a g@-2:a f@-3:a e@-4:a d@-5:a c@-6:a b@-7:a a@-8:a",
		"..., b, c, d, e, f, g, h, i, mx1"},
	};
	struct trace_keys *keys = case_keys(FILE_BOTH);
	struct trace *traces = xnew_array(struct trace, TRACES_MOST);
	struct buf out = BUF_INIT;
	size_t count;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		buf_clear(&out);
		count = read_traces(keys, paths[i].traces, traces);
		loop_path(traces, count, STR("mx1"), &out);
		assert_string_equal(buf_cstr(&out), paths[i].path);
	}
	buf_clear(&out);
	count = read_traces(keys, "b@-1:a a@-2:a", traces);
	memset(traces[1].instance, 'a', TRACE_INSTANCE_MOST);
	memset(traces[0].instance, 'b', TRACE_INSTANCE_MOST);
	loop_path(traces, count, STR("mx1"), &out);
	assert_int_equal(buf_len(&out), strlen("..., ") + TRACE_INSTANCE_MOST + strlen(", mx1"));
	buf_fini(&out);
	free(traces);
	trace_keys_free(&keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(circles_are_told_from_mail_for_somebody_else),
	    cmocka_unit_test(a_saturated_trace_claims_no_circle),
	    cmocka_unit_test(the_way_is_said_oldest_first_and_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
