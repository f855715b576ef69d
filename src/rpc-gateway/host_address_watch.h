/* Watches the machine's address in its zone. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* Watches the machine's address. The kernel reports changes; nothing is polled. The callback runs in the
 * loop. */
struct host_address_watch;
typedef void (*host_address_fn)(const char *address, const char *device, void *userdata);

/* Returns a watch. 'configured' (borrowed as long as the watch exists; "" or NULL: none) takes precedence
 * over the addresses of the machine. 'on_change' is called when the address changes, with NULL when there
 * is none any more. */
int host_address_watch_new(sd_event *event, const char *configured, host_address_fn on_change, void *userdata,
                           struct host_address_watch **ret, struct error *e);
void host_address_watch_free(struct host_address_watch *watch);
/* Returns the present address, or NULL, and its device ("" if a configured address is on none). */
const char *host_address_now(const struct host_address_watch *watch, const char **ret_device);
