/* Parses durations and sizes in the forms of hostlet.conf, service.conf, manifests and command line
 * options. */
#pragma once

#include <stdint.h>

/* Return 0, −EINVAL if the text does not have the form, or −ERANGE if the value is too large. A duration
 * without a unit is in seconds, a size without one in bytes. */
int parse_duration(const char *text, uint64_t *ret_usec);
int parse_size(const char *text, int64_t *ret_bytes);
