/*
 * replay.c - runs a fuzz target over its seeds
 *
 * Where libFuzzer is not linked, this is the main() of every fuzz target: each
 * argument is a file, or a directory of files, that is fed once whole. So the
 * seeds are tested in every `make check`, with any compiler.
 */
#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEED_MAX_BYTES = 1 << 24 };

static unsigned
feed_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(SEED_MAX_BYTES);
	size_t size;

	if (file == NULL || data == NULL)
		err(EX_NOINPUT, "%s", path);
	size = fread(data, 1, SEED_MAX_BYTES, file);
	fclose(file);
	data = realloc(data, size ? size : 1); /* exact, so that reading past it shows */
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static unsigned
feed(const char *path)
{
	struct stat st;
	struct dirent *entry;
	unsigned fed = 0;
	char inner[4096];
	DIR *dir;

	if (stat(path, &st) == -1)
		err(EX_NOINPUT, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return feed_file(path);
	if ((dir = opendir(path)) == NULL)
		err(EX_NOINPUT, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		fed += feed_file(inner);
	}
	closedir(dir);
	return fed;
}

int
main(int argc, char **argv)
{
	unsigned fed = 0;

	for (int i = 1; i < argc; i++)
		fed += feed(argv[i]);
	if (fed == 0)
		errx(EX_USAGE, "no seeds");
	printf("%u seeds\n", fed);
	return 0;
}
