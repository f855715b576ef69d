/* Reads the actual state from the kernel, and makes changes, by rtnetlink. The calls wait for the kernel's
 * reply, which it sends while it executes the request. */
#pragma once

#include "lib/basic/error.h"
#include "net-keeper/plan.h"

struct kernel;

int kernel_new(struct kernel **ret, struct error *e);
void kernel_free(struct kernel *k); /* 'k' may be NULL */

/* Reads devices, addresses and routes, and the forwarding entries of the device with this name. The caller
 * frees *ret by actual_done(). Returns 0 or a negative errno. */
int kernel_read(struct kernel *k, const char *device, struct actual *ret, struct error *e);

/* Makes one change of a plan. plan->device is set when the device was made. Returns 0, or a negative errno:
 * for a request to add what exists −EEXIST, to remove what does not −ENOENT. */
int kernel_change(struct kernel *k, struct plan *plan, const struct change *change, const char *mark,
                  struct error *e);
