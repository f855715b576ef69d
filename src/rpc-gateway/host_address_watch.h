/* Watches the machine's address in its zone. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* Watches the machine's address. The kernel tells of changes: nothing polls. */
struct host_address_watch;
typedef void (*host_address_fn)(const char *address, const char *device, void *userdata);

/* 'configured' (borrowed until the end; "" or NULL: none) wins over what is found. 'on_change' is called from
 * the loop when the address is another one; with NULL when there is none any more. */
int host_address_watch_new(sd_event *event, const char *configured, host_address_fn on_change, void *userdata,
                           struct host_address_watch **ret, struct error *e);
void host_address_watch_free(struct host_address_watch *watch);
/* The address now and its device ("" where it was configured and is on none), or NULL. */
const char *host_address_now(const struct host_address_watch *watch, const char **ret_device);
