/* Provides the character set of names in archives for libarchive, which converts them by its thread's
 * locale. */
#pragma once

#include <locale.h>

#include "lib/basic/error.h"

/* Returns the locale C.UTF-8 for uselocale(). The process has one and never frees it, since any thread may
 * be using it. Returns −ENOENT if the system lacks it. */
int utf8_locale(locale_t *ret, struct error *e);
