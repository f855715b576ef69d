/* Host names looked up by a thread of their own, since no loop may wait for a name server. */
#pragma once

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct grpc_resolve;

/* 'address' is NULL when there is none: 'e' says why. Called once, from the loop. */
typedef void (*grpc_resolved_fn)(const struct sockaddr_storage *address, socklen_t size,
                                 const struct error *e, void *userdata);

/* NULL with 'e' filled when no descriptor can be had. */
struct grpc_resolve *grpc_resolve_start(sd_event *event, const char *host, uint16_t port,
                                        grpc_resolved_fn on_resolved, void *userdata, struct error *e);
/* Without on_resolved; the thread ends by itself. NULL is fine. */
void grpc_resolve_cancel(struct grpc_resolve *resolve);

/* A numeric address without any of this: 0, or −EINVAL when it is a name. */
int grpc_numeric_address(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_size);
/* "HOST:PORT" and "[HOST]:PORT" taken apart; the caller frees *ret_host. Refused when it has not that form.
 */
int grpc_split_address(const char *address, char **ret_host, uint16_t *ret_port, struct error *e);
