/* Implements version.h. */
#include "container-driver/docker/version.h"

#include <errno.h>
#include <stdio.h>

#include "container-driver/reading.h"

/* Returns a version such as "1.41" as a number to compare, or −1 when the text is not a version. */
static int number(const char *version)
{
    unsigned major, minor;
    int n = 0;
    if (sscanf(version, "%3u.%3u%n", &major, &minor, &n) != 2 || version[n])
        return -1;
    return (int)(major * 1000 + minor);
}

int docker_choose_version(const char *newest, const char *oldest, char **ret, struct error *e)
{
    int ours_min = number(DOCKER_API_MIN), ours_max = number(DOCKER_API_MAX);
    int theirs_max = number(newest), theirs_min = oldest && *oldest ? number(oldest) : 0;
    if (theirs_max < 0 || theirs_min < 0) {
        _cleanup_free_ char *clean = clean_text(theirs_max < 0 ? newest : oldest, 40);
        return error_fail(
            e, EPROTO, "Docker's response to GET /version makes no sense: '%s' is not a version of its API",
            clean);
    }
    if (theirs_max < ours_min)
        return error_set(e, ERROR_NOT_SUPPORTED, EPROTONOSUPPORT,
                         "Docker is too old: its API is %s, and hostlet needs " DOCKER_API_MIN
                         " (Docker 19.03) or newer",
                         newest);
    if (theirs_min > ours_max)
        return error_set(e, ERROR_NOT_SUPPORTED, EPROTONOSUPPORT,
                         "Docker is too new: its API begins at %s, and hostlet supports " DOCKER_API_MAX
                         " and older",
                         oldest);
    *ret = xstrdup(theirs_max < ours_max ? newest : DOCKER_API_MAX);
    return 0;
}

bool docker_version_is(const char *version, const char *least)
{
    return version && number(version) >= number(least);
}
