/*
 * status_processes.h - the processes of this host, by their control sockets (driver)
 */
#ifndef ADMIN_STATUS_PROCESSES_H
#define ADMIN_STATUS_PROCESSES_H

#include "admin/admin.h"

#include <stdbool.h>

/*
 * Ask every process that has a control socket in run_dir and print a table, or
 * everything that each one says. 0, or EX_UNAVAILABLE, said: none is there, or one
 * does not answer.
 */
int status_processes(struct admin *admin, bool everything);

#endif
