/*
 * fuzz_barrier.c - any bytes as a barrier, and as an answer to one
 */
#include "map/barrier.h"

#include "base/mem.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct barrier barrier, again;
	struct barrier_ack ack;
	struct buf out = BUF_INIT;

	if (barrier_read(text, &barrier)) {
		must(barrier.everything == (barrier.count == 0));
		barrier_write(&out, barrier.epoch, barrier.nonce, barrier.names, barrier.count);
		must(barrier_read(buf_str(&out), &again));
		must(again.epoch == barrier.epoch &&
		     (again.everything || again.count == barrier.count));
		for (size_t i = 0; i < again.count; i++)
			must(str_eq(again.names[i], barrier.names[i]));
		barrier_fini(&again);
		barrier_fini(&barrier);
	}
	if (barrier_ack_read(text, &ack))
		must(node_id_is_valid(ack.node) && ack.run[0] != '\0');
	buf_fini(&out);
	return 0;
}
