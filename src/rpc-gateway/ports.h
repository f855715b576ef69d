/* The listening TCP sockets. */
#pragma once

#include "lib/basic/error.h"

/* Binds 'port' of the IPv4 'address' and listens, non-blocking; *ret is the caller's. */
int port_open(const char *address, uint16_t port, int *ret, struct error *e);

/* The port that a listening socket has; 0 for −1. */
int64_t port_number(int fd);
