/*
 * client.h - one connection to policyd                                (driver)
 *
 * Lives from accept to close. Carries bytes between its connection and its
 * protocol's machine, and questions to the asker. While a question waits nothing
 * further is read out of the buffer, so answers keep the order of requests, and
 * while the peer does not take its answers nothing further is read at all.
 */
#ifndef POLICY_CLIENT_H
#define POLICY_CLIENT_H

#include "policy/port.h"

struct client;

/* Takes the descriptor and a seat that is already taken; lives on its own. */
void client_new(struct port *port, int fd);

/* The server is draining: ends it if it asks nothing. */
void client_drain(struct client *client);
void client_stop(struct client *client); /* ends it, whatever it does */

struct client *client_after(const struct client *client); /* in the server's list; or NULL */

#endif
