/* The character set of names in archives, for libarchive, which converts by the locale of its thread. */
#pragma once

#include <locale.h>

#include "lib/basic/error.h"

/* C.UTF-8, for uselocale(). One for the process, never freed: threads come and go with it in use. */
int utf8_locale(locale_t *ret, struct error *e);
