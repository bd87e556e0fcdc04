/*
 * fuzz_transfer.c - any bytes as a file of accounts; what can be written is read again
 */
#include "admin/transfer.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_and_read(enum transfer_form form, struct str address, struct str owner)
{
	struct buf out = BUF_INIT, store = BUF_INIT;
	struct str again_address, again_owner, line;
	struct fault fault;

	if (transfer_row_write(&out, form, address, owner)) {
		line = buf_str(&out);
		line.len--; /* its line feed */
		must(transfer_row_read(line, form, &store, &again_address, &again_owner, &fault) ==
		     1);
		must(str_eq(again_address, address) && str_eq(again_owner, owner));
	}
	buf_fini(&out);
	buf_fini(&store);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size), address, owner;
	struct transfer_header header;
	struct buf store = BUF_INIT;
	struct fault fault;

	while (rest.len > 0) {
		struct str line = str_make(rest.ptr, str_find(rest, '\n'));
		enum transfer_form form = transfer_form_of(line);

		if (transfer_header_read(line, &header, &fault) == 1)
			must(strlen(header.digest) <= TRANSFER_DIGEST_BYTES);
		if (transfer_row_read(line, form, &store, &address, &owner, &fault) == 1)
			write_and_read(form, address, owner);
		rest = str_from(rest, line.len < rest.len ? line.len + 1 : line.len);
	}
	buf_fini(&store);
	return 0;
}
