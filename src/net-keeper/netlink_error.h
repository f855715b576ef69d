/* Translates the errors of libnl, whose functions return numbers of their own. */
#pragma once

#include "lib/basic/error.h"

/* Fills 'e' (may be NULL) with the message and the reason, and returns a negative errno. */
int netlink_error(struct error *e, int nl_error, const char *fmt, ...) _printf_(3, 4);
