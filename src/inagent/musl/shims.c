/* Defines the few functions of glibc that inagent's parts call and musl lacks.
 *
 * Debian's libjansson.a was compiled against glibc with _FORTIFY_SOURCE, which turned three calls into
 * their checked forms. With these three functions it links with musl; everything else that it uses is the
 * same in both libraries. The checks are lost, as for every program on musl. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int __snprintf_chk(char *s, size_t n, int flag, size_t room, const char *fmt, ...);
int __vsnprintf_chk(char *s, size_t n, int flag, size_t room, const char *fmt, va_list ap);
char *__strncpy_chk(char *to, const char *from, size_t n, size_t room);

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int __vsnprintf_chk(char *s, size_t n, int flag, size_t room, const char *fmt, va_list ap)
{
    (void)flag;
    return vsnprintf(s, n < room ? n : room, fmt, ap);
}

int __snprintf_chk(char *s, size_t n, int flag, size_t room, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = __vsnprintf_chk(s, n, flag, room, fmt, ap);
    va_end(ap);
    return r;
}

char *__strncpy_chk(char *to, const char *from, size_t n, size_t room)
{
    return strncpy(to, from, n < room ? n : room);
}

/* For lib/basic/error.c. musl's strings are constant, too. */
const char *strerrordesc_np(int errnum)
{
    return strerror(errnum);
}
