/* Looks up host names in a thread, because the event loop must not wait for a name server. */
#pragma once

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct grpc_resolve;

/* Receives the result once, from the loop. 'address' is NULL if there is none, and 'e' is the reason. */
typedef void (*grpc_resolved_fn)(const struct sockaddr_storage *address, socklen_t size,
                                 const struct error *e, void *userdata);

/* Starts a look-up. Returns NULL with 'e' set if no descriptor is available. */
struct grpc_resolve *grpc_resolve_start(sd_event *event, const char *host, uint16_t port,
                                        grpc_resolved_fn on_resolved, void *userdata, struct error *e);
/* Cancels a look-up: on_resolved is not called. The thread ends later. 'resolve' may be NULL. */
void grpc_resolve_cancel(struct grpc_resolve *resolve);

/* Converts a numeric address without a look-up. Returns 0, or −EINVAL if 'host' is a name. */
int grpc_numeric_address(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_size);
/* Splits "HOST:PORT" or "[HOST]:PORT"; the caller frees *ret_host. Returns 0 or −EINVAL (refused). */
int grpc_split_address(const char *address, char **ret_host, uint16_t *ret_port, struct error *e);
