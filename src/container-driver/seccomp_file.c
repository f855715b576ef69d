/* Implements seccomp_file.h. The driver checks the profile when it starts: Docker checks a profile only when
 * a container starts, so that a mistake would otherwise be an outage then. */
#include "container-driver/seccomp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container-driver/reading.h"

#define FILE_MAX ((off_t)512 * 1024) /* Docker's default profile has 16 KiB */

static const char *const actions[] = {
    "SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",        "SCMP_ACT_TRAP",        NULL,
};
static const char *const operators[] = {
    "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",        "SCMP_CMP_EQ",
    "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL,
};

static bool is_one_of(const char *word, const char *const *words)
{
    for (; word && *words; words++)
        if (streq(word, *words))
            return true;
    return false;
}

static int check_word(json_t *value, const char *const *words, const char *name, const char *where,
                      struct error *e)
{
    const char *word = json_string_value(value);
    if (is_one_of(word, words))
        return 0;
    _cleanup_free_ char *clean = clean_text(word ?: "(no text)", 60);
    _cleanup_free_ char *all = xstrdup("");
    for (size_t i = 0; words[i]; i++) {
        char *longer = xasprintf("%s%s%s", all, i ? ", " : "", words[i]);
        free(all);
        all = longer;
    }
    return error_refuse(e, EINVAL, "%s: %s: '%s' is none of %s", name, where, clean, all);
}

static int check_argument(json_t *argument, const char *name, const char *where, struct error *e)
{
    static const char *const numbers[] = {"value", "valueTwo"};
    json_t *index = json_object_get(argument, "index");
    if (!json_is_object(argument) || !json_is_integer(index) || json_integer_value(index) < 0 ||
        json_integer_value(index) > 5)
        return error_refuse(e, EINVAL, "%s: %s/index: not a number from 0 to 5", name, where);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        json_t *number = json_object_get(argument, numbers[i]);
        if (number && (!json_is_integer(number) || json_integer_value(number) < 0))
            return error_refuse(e, EINVAL, "%s: %s/%s: not a number", name, where, numbers[i]);
    }
    _cleanup_free_ char *op = xasprintf("%s/op", where);
    return check_word(json_object_get(argument, "op"), operators, name, op, e);
}

/* Checks that a rule has either "name" or "names", with names of system calls. */
static int check_names(json_t *rule, const char *name, const char *where, struct error *e)
{
    size_t i;
    json_t *one = json_object_get(rule, "name"), *names = json_object_get(rule, "names"), *item;
    bool has_one = one && *(json_string_value(one) ?: "x"), good = json_array_size(names) > 0 || has_one;
    if ((one && !json_is_string(one)) || (has_one && json_array_size(names) > 0))
        good = false;
    json_array_foreach(names, i, item) good &= json_is_string(item);
    return good ? 0
                : error_refuse(e, EINVAL, "%s: %s: neither a name nor a list of names of system calls", name,
                               where);
}

static int check_rule(json_t *rule, const char *name, size_t number, struct error *e)
{
    size_t i;
    json_t *argument, *args = json_object_get(rule, "args"), *code = json_object_get(rule, "errnoRet");
    _cleanup_free_ char *where = xasprintf("/syscalls/%zu", number), *action = xasprintf("%s/action", where);
    if (!json_is_object(rule))
        return error_refuse(e, EINVAL, "%s: %s: not an object", name, where);
    int r = check_names(rule, name, where, e);
    if (r >= 0)
        r = check_word(json_object_get(rule, "action"), actions, name, action, e);
    if (r >= 0 && code && !json_is_null(code) && (!json_is_integer(code) || json_integer_value(code) < 0))
        r = error_refuse(e, EINVAL, "%s: %s/errnoRet: not a number", name, where);
    if (r >= 0 && args && !json_is_null(args) && !json_is_array(args))
        r = error_refuse(e, EINVAL, "%s: %s/args: not a list", name, where);
    json_array_foreach(args, i, argument)
    {
        _cleanup_free_ char *below = xasprintf("%s/args/%zu", where, i);
        if (r >= 0)
            r = check_argument(argument, name, below, e);
    }
    return r;
}

int seccomp_profile_check(json_t *profile, const char *name, struct error *e)
{
    size_t i;
    json_t *rule, *rules = json_object_get(profile, "syscalls");
    if (!json_is_object(profile))
        return error_refuse(e, EINVAL, "%s: not an object", name);
    int r = check_word(json_object_get(profile, "defaultAction"), actions, name, "/defaultAction", e);
    if (r >= 0 && !json_is_array(rules))
        r = error_refuse(e, EINVAL, "%s: /syscalls: not a list", name);
    if (r >= 0 && json_array_size(json_object_get(profile, "architectures")) > 0 &&
        json_array_size(json_object_get(profile, "archMap")) > 0)
        r = error_refuse(e, EINVAL, "%s: one of architectures and archMap, not both", name);
    json_array_foreach(rules, i, rule) if (r >= 0) r = check_rule(rule, name, i, e);
    return r;
}

static int check_owner(int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot read the attributes of the seccomp profile '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "the seccomp profile '%s' is not a regular file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return error_refuse(e, EPERM,
                            "the seccomp profile '%s' belongs to user %u: it must be root's (chown root)",
                            path, (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_refuse(
            e, EPERM, "the seccomp profile '%s' can be written by others than its owner (chmod go-w)", path);
    if (st.st_size > FILE_MAX)
        return error_refuse(e, EFBIG, "the seccomp profile '%s' is larger than %lld bytes", path,
                            (long long)FILE_MAX);
    return 0;
}

/* Begins to read after a byte order mark. */
static int skip_mark(int fd)
{
    char begin[3];
    const char *at = begin;
    ssize_t n = pread(fd, begin, sizeof begin, 0);
    size_t size = n > 0 ? (size_t)n : 0;
    skip_byte_order_mark(&at, &size);
    return lseek(fd, at - begin, SEEK_SET) < 0 ? -errno : 0;
}

int seccomp_profile_read(const char *path, char **ret, struct error *e)
{
    json_error_t where;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_refuse(e, errno, "the seccomp profile '%s' cannot be opened: %s%s", path,
                            strerror(errno),
                            errno == EACCES ? ": the driver's user must be able to read it" : "");
    int r = check_owner(fd, path, e);
    if (r >= 0 && (r = skip_mark(fd)) < 0)
        r = error_os(e, -r, "the seccomp profile '%s' cannot be read", path);
    if (r < 0)
        return r;
    _cleanup_json_ json_t *profile = json_loadfd(fd, JSON_REJECT_DUPLICATES, &where);
    if (!profile)
        return error_refuse(e, EINVAL, "the seccomp profile '%s', line %d: %s", path, where.line, where.text);
    _cleanup_free_ char *name = xasprintf("the seccomp profile '%s'", path);
    r = seccomp_profile_check(profile, name, e);
    if (r >= 0)
        *ret = json_dumps(profile, JSON_COMPACT);
    return r;
}
