/*
 * snapshot.c - what it costs to save a large map, and to start with it
 *
 *	snapshot [-n KEYS] [-d DIRECTORY]
 *
 * Fills a mirror with keys (1,000,000) whose names have 30 bytes, saves it as a
 * node does, and starts again from what was saved. Beside each stands its floor,
 * with the same bytes in the same run: written by write(2) and made durable; read
 * and its BLAKE2b computed. "Longest" is what a turn of the loop took at most.
 * Run it with an unsanitized build on a quiet machine, on the disk that is to be
 * measured.
 */
#include "map/snapshot.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { NAME_BYTES = 30, PATIENCE_MS = 600000, GRACE_MS = 600000, LEASE_MS = 60000 };

static struct loop *loop;
static struct mirror *mirror;
static struct timer *ticker;
static uint64_t ticked_us, longest_us; /* between two turns of the loop */
static uint64_t ticked_cpu_us, longest_cpu_us; /* that it used itself, however busy the machine */
static unsigned cursor;
static bool has_ended;

/* ---- an owner with a mirror */

static bool
begin(void *ctx, struct snapshot_head *head_r)
{
	head_r->map_id = STR("bench");
	head_r->end.lease_until_ms = clock_ms() + LEASE_MS;
	cursor = 0;
	return true;
}

struct piece {
	struct snapshot_writer *writer;
	struct buf *out;
};

static void
write_key(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	struct piece *piece = ctx;

	snapshot_write_key(piece->writer, key, what, value, piece->out);
}

static bool
write_rows(void *ctx, struct snapshot_writer *writer, struct buf *out, unsigned *flags_r)
{
	struct piece piece = {writer, out};

	*flags_r = SNAPSHOT_ALL_KEYS;
	return mirror_walk(mirror, &cursor, write_key, &piece);
}

static bool
take_keys(void *ctx)
{
	mirror_begin(mirror, SIZE_MAX);
	return true;
}

static void
take_key(void *ctx, struct str key, enum mirror_what what, struct str value)
{
	mirror_put(mirror, key, what, value, mirror_now(mirror));
}

static void
take_end(void *ctx)
{
	has_ended = true;
}

/* Of these there are none. */
static void
take_finding(void *ctx, struct str asked, const struct finding *finding, const struct str *names,
    size_t count)
{
	must(false);
}

static void
take_domain(void *ctx, struct str domain, bool is_sure)
{
	must(false);
}

static void
take_complete(void *ctx)
{
	must(false);
}

static const struct snapshot_owner owner = {
    .finding_fn = take_finding,
    .domain_fn = take_domain,
    .domains_complete_fn = take_complete,
    .keys_begin_fn = take_keys,
    .key_fn = take_key,
    .keys_end_fn = take_end,
    .begin_fn = begin,
    .rows_fn = write_rows,
};

/* ---- the loop */

static uint64_t
cpu_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void
tick(void *ctx)
{
	uint64_t now_us = clock_us(), now_cpu_us = cpu_us();

	if (ticked_us != 0 && now_us - ticked_us > longest_us)
		longest_us = now_us - ticked_us;
	if (ticked_us != 0 && now_cpu_us - ticked_cpu_us > longest_cpu_us)
		longest_cpu_us = now_cpu_us - ticked_cpu_us;
	ticked_us = now_us;
	ticked_cpu_us = now_cpu_us;
	timer_start(ticker, 0);
}

static void
run_until(bool (*done)(void *ctx), void *ctx, const char *what)
{
	ticked_us = longest_us = longest_cpu_us = 0;
	tick(NULL);
	if (!loop_run_until(loop, done, ctx, PATIENCE_MS))
		errx(EX_SOFTWARE, "%s: not in %d s", what, PATIENCE_MS / 1000);
	timer_stop(ticker);
}

static bool
has_saved(void *snapshot)
{
	struct snapshot_status status;

	snapshot_count(snapshot, &status);
	if (status.alarm[0] != '\0')
		errx(EX_IOERR, "%s", status.alarm);
	return status.saves > 0;
}

static bool
has_loaded(void *ctx)
{
	return has_ended;
}

static void
fill(unsigned long keys)
{
	char key[64];

	mirror = mirror_new();
	mirror_begin(mirror, SIZE_MAX);
	for (unsigned long n = 0; n < keys; n++) {
		snprintf(key, sizeof(key), "owner:u%0*lu@mail.example.org",
		    NAME_BYTES - (int)sizeof("u@mail.example.org") + 1, n);
		mirror_put(mirror, str_of(key), MIRROR_STRING, STR("new"), mirror_now(mirror));
	}
	must(mirror_end(mirror, mirror_now(mirror)));
}

/* ---- the floors */

static double
seconds_since(uint64_t began_us)
{
	return (double)(clock_us() - began_us) / 1e6;
}

static double
floor_read(const char *path, struct buf *bytes)
{
	uint64_t began_us = clock_us();
	unsigned char check[32];

	if (file_read(path, bytes) == -1)
		err(EX_IOERR, "%s", path);
	crypto_generichash(check, sizeof(check), (const unsigned char *)buf_str(bytes).ptr,
	    buf_len(bytes), NULL, 0);
	return seconds_since(began_us);
}

static double
floor_write(const char *path, struct str bytes)
{
	uint64_t began_us = clock_us();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1)
		err(EX_IOERR, "%s", path);
	for (size_t done = 0; done < bytes.len;) {
		ssize_t len = write(fd, bytes.ptr + done, bytes.len - done);

		if (len == -1)
			err(EX_IOERR, "%s", path);
		done += (size_t)len;
	}
	if (fsync(fd) == -1 || close(fd) == -1)
		err(EX_IOERR, "%s", path);
	return seconds_since(began_us);
}

/* ---- */

static struct snapshot *
node_start(const char *path)
{
	struct snapshot_settings settings = {.path = path,
	    .map_id = "bench",
	    .prefix = "splitmx",
	    .boot_id = "boot",
	    .rules = {true, "+"},
	    .grace_ms = GRACE_MS,
	    .save_every_ms = 1000 * PATIENCE_MS};
	struct snapshot *snapshot;
	struct fault fault;

	if ((snapshot = snapshot_new(loop, &settings, &owner, NULL, &fault)) == NULL)
		errx(EX_OSERR, "%s", fault.text);
	return snapshot;
}

static void
save(const char *path, unsigned long keys)
{
	struct snapshot *snapshot = node_start(path);
	struct snapshot_status status;
	uint64_t began_us;

	fill(keys);
	began_us = clock_us();
	snapshot_start(snapshot);
	run_until(has_saved, snapshot, "a save");
	printf("save    %8.2f s    longest %8.2f ms, of the processor %.2f ms\n",
	    seconds_since(began_us), (double)longest_us / 1e3, (double)longest_cpu_us / 1e3);
	snapshot_count(snapshot, &status);
	if (status.keys != keys)
		errx(EX_SOFTWARE, "%" PRIu64 " keys were saved", status.keys);
	snapshot_free(&snapshot);
	mirror_free(&mirror);
}

static void
load(const char *path, unsigned long keys)
{
	struct snapshot *snapshot;
	struct mirror_counters count;
	uint64_t began_us = clock_us();
	double blocked_s;

	mirror = mirror_new();
	snapshot = node_start(path);
	blocked_s = seconds_since(began_us);
	run_until(has_loaded, NULL, "a load");
	printf("load    %8.2f s    longest %8.2f ms, of the processor %.2f ms\n",
	    seconds_since(began_us), (double)longest_us / 1e3, (double)longest_cpu_us / 1e3);
	printf("        %8.2f s    of it before the daemon is ready\n", blocked_s);
	mirror_count(mirror, &count);
	if (count.records != keys || count.unknown != 0)
		errx(EX_SOFTWARE, "%" PRIu64 " keys were loaded", count.records);
	snapshot_free(&snapshot);
	mirror_free(&mirror);
}

static void
measure(const char *dir, unsigned long keys)
{
	char *path = xasprintf("%s/node", dir), *rows = xasprintf("%s.snapshot", path);
	char *tombs = xasprintf("%s.tombs", path), *copy = xasprintf("%s/copy", dir);
	struct buf bytes = BUF_INIT;
	double read_s;

	save(path, keys);
	load(path, keys);
	read_s = floor_read(rows, &bytes);
	printf("floor   %8.2f s    to write the same bytes and fsync\n",
	    floor_write(copy, buf_str(&bytes)));
	printf("floor   %8.2f s    to read them and compute the checksum\n", read_s);
	printf("%lu keys, %zu bytes, %.1f each\n", keys, buf_len(&bytes),
	    (double)buf_len(&bytes) / (double)keys);
	buf_fini(&bytes);
	unlink(rows);
	unlink(tombs);
	unlink(copy);
	free(path);
	free(rows);
	free(tombs);
	free(copy);
}

int
main(int argc, char **argv)
{
	char dir[4096];
	const char *where = "/tmp";
	unsigned long keys = 1000000;
	int option;

	while ((option = getopt(argc, argv, "n:d:")) != -1) {
		if (option == 'n')
			keys = strtoul(optarg, NULL, 10);
		else if (option == 'd')
			where = optarg;
		else
			return EX_USAGE;
	}
	if (keys == 0 || optind != argc)
		errx(EX_USAGE, "snapshot [-n KEYS] [-d DIRECTORY]");
	snprintf(dir, sizeof(dir), "%s/snapshot.XXXXXX", where);
	if (mkdtemp(dir) == NULL)
		err(EX_CANTCREAT, "%s", dir);
	loop = loop_new();
	ticker = timer_new(loop, tick, NULL);
	measure(dir, keys);
	timer_free(&ticker);
	loop_free(&loop);
	return rmdir(dir) == 0 ? 0 : EX_IOERR;
}
