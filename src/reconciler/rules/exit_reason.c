/* Implements exit_reason.h. */
#include "reconciler/rules/exit_reason.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"

#define CODE_KILLED     (128 + SIGKILL)
#define CODE_NO_RIGHT   126 /* of shells and of Docker: the command cannot be executed */
#define CODE_NO_COMMAND 127 /* of both: the command does not exist */

/* Returns a size in the largest unit that expresses it without a fraction. */
static char *size_text(int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; unit + 1 < ARRAY_SIZE(units) && bytes >= 1024 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    return xasprintf("%lld %s", (long long)bytes, units[unit]);
}

static char *oom_text(int64_t memory_limit)
{
    _cleanup_free_ char *size = size_text(memory_limit);
    return memory_limit > 0 ? xasprintf("killed: out of memory, limit %s", size)
                            : xstrdup("killed: out of memory, without a limit of its own");
}

/* Returns what a code means by convention, in parentheses; "": nothing. */
static char *meaning(int64_t code)
{
    const char *signal = code > 128 && code < 128 + _NSIG ? sigabbrev_np((int)code - 128) : NULL;
    if (code == CODE_NO_RIGHT || code == CODE_NO_COMMAND)
        return xasprintf(" (%s)",
                         code == CODE_NO_RIGHT ? "a command cannot be executed" : "a command does not exist");
    return signal ? xasprintf(" (SIG%s)", signal) : xstrdup("");
}

char *exit_reason(const struct exit_facts *f)
{
    _cleanup_free_ char *oom = oom_text(f->memory_limit), *means = meaning(f->code);
    if (f->oom && f->code == CODE_KILLED)
        return TAKE_PTR(oom);
    bool has_error = f->error && *f->error;
    return xasprintf("exited with code %lld%s%s%s%s%s", (long long)f->code, means,
                     f->oom ? " after one of its processes was " : "", f->oom ? oom : "",
                     has_error ? ": " : "", has_error ? f->error : "");
}
