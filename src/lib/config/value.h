/* Reads durations and sizes in the forms of hostlet.conf, service.conf, manifests and options. */
#pragma once

#include <stdint.h>

/* Return 0, −EINVAL when the text has not the form, or −ERANGE when the value is too large. A duration
 * without a unit is in seconds, a size without one in bytes. */
int parse_duration(const char *text, uint64_t *ret_usec);
int parse_size(const char *text, int64_t *ret_bytes);
