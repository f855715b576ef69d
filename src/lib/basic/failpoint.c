/* Implements failpoint.h. */
#include "lib/basic/failpoint.h"

#include <errno.h>

#ifdef ENABLE_FAILPOINTS
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

static const char *const *table;
static bool has_table; /* Unit tests have no table: the failpoints in the code that they call do nothing. */

void failpoint_table(const char *const *names)
{
    table = names;
    has_table = true;
}

void failpoint_list(void)
{
    for (size_t i = 0; table && table[i]; i++)
        puts(table[i]);
}

/* Reports whether the action is still to be performed. With HOSTLET_FAILPOINT_ONCE it is performed once
 * among all processes that share the directory. */
static bool first_time(const char *name)
{
    const char *dir = getenv("HOSTLET_FAILPOINT_ONCE");
    if (!dir)
        return true;
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    _cleanup_close_ int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    return fd >= 0;
}

static int act(const char *name, const char *action)
{
    if (!first_time(name))
        return 0;
    log_notice("failpoint %s: %s", name, action);
    if (streq(action, "kill"))
        kill(getpid(), SIGKILL);
    if (streq(action, "exit"))
        _exit(EXIT_FAILED);
    if (streq(action, "error"))
        return -EIO;
    if (streq(action, "hang"))
        for (;;)
            pause();
    panic("failpoint %s: unknown action '%s'", name, action);
}

int failpoint(const char *name)
{
    size_t at = 0;
    if (!has_table)
        return 0;
    while (table && table[at] && !streq(table[at], name))
        at++;
    if (!table || !table[at])
        panic("failpoint '%s' is not in the table", name);
    static unsigned passes[256];
    unsigned pass = at < ARRAY_SIZE(passes) ? ++passes[at] : 1;

    const char *spec = getenv("HOSTLET_FAILPOINT");
    if (!spec)
        return 0;
    _cleanup_free_ char *copy = xstrdup(spec);
    char *save = NULL;
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        char *action = strchr(item, ':');
        if (!action)
            continue;
        *action++ = '\0';
        char *nth = strchr(item, '@');
        if (nth)
            *nth++ = '\0';
        if (streq(item, name) && (!nth || (unsigned)atoi(nth) == pass))
            return act(name, action);
    }
    return 0;
}
#endif

int failpoint_error(const char *name, struct error *e)
{
    return failpoint(name) < 0 ? error_fail(e, EIO, "failpoint %s", name) : 0;
}
