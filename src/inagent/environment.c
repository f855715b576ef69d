/* Implements environment.h. */
#include "inagent/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* ^[0-9a-f]{12,16}$ */
static bool is_host_id(const char *s)
{
    size_t n = strlen(s);
    return n >= 12 && n <= 16 && strspn(s, "0123456789abcdef") == n;
}

/* Reports whether 's' is an RFC 1123 label of 3 to 63 characters. */
static bool is_instance_name(const char *s)
{
    size_t n = strlen(s);
    return n >= 3 && n <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && s[0] != '-' &&
           s[n - 1] != '-';
}

/* Reads a number of seconds with an optional fraction, at most a day, in microseconds. */
static int read_seconds(const char *name, double otherwise, uint64_t *ret, struct error *e)
{
    const char *s = getenv(name);
    char *end = NULL;
    double seconds = s && *s ? strtod(s, &end) : otherwise;
    /* Other forms that strtod accepts (white space, hexadecimal, infinity, signs) are refused. */
    if (end && (*end || !isdigit((unsigned char)*s) || strpbrk(s, "xX")))
        return error_refuse(e, EINVAL, "ENV %s Not Valid : '%s' is not a number of seconds", name, s);
    if (seconds > 86400)
        return error_refuse(e, ERANGE, "ENV %s Not Valid : %s is more than a day", name, s);
    *ret = (uint64_t)(seconds * (double)USEC_PER_SEC);
    return 0;
}

int environment_read(struct environment *ret, struct error *e)
{
    struct environment environment = {0};
    const char *host_id = getenv("APP_HOST_ID") ?: "", *name = getenv("APP_NAME") ?: "";
    const char *replica_id = getenv("APP_REP_ID") ?: "";
    if (!is_host_id(host_id))
        return error_refuse(e, EINVAL, "ENV APP_HOST_ID Not Match");
    if (!is_instance_name(name))
        return error_refuse(e, EINVAL, "ENV APP_NAME Not Match : %s", name);
    if (!*replica_id)
        return error_refuse(e, EINVAL, "ENV APP_REP_ID Not Set");
    if (parse_int64(replica_id, 0, 255, &environment.identity.replica_id) < 0)
        return error_refuse(e, EINVAL, "ENV APP_REP_ID Not Valid");
    environment.identity.host_id = host_id;
    int r = read_seconds("HOSTLET_PROBATION", 5, &environment.probation_usec, e);
    if (r == 0)
        r = read_seconds("HOSTLET_STOP_TIMEOUT", 10, &environment.stop_timeout_usec, e);
    if (r < 0)
        return r;
    *ret = environment;
    return 0;
}
