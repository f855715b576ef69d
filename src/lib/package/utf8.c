/* Implements utf8.h. */
#include "lib/package/utf8.h"

#include <errno.h>
#include <pthread.h>

static locale_t locale;

static void make_locale(void)
{
    locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

int utf8_locale(locale_t *ret, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_locale);
    if (!locale)
        return error_fail(e, ENOENT, "packages cannot be read or written: this system has no locale C.UTF-8");
    *ret = locale;
    return 0;
}
