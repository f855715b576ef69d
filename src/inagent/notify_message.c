/* Implements notify_message.h. */
#include "inagent/notify_message.h"

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"
#include "lib/basic/util.h"

/* The kernel's largest errno. */
#define ERRNO_MAX 4095

/* Reads a decimal number. Returns false if it is none, or above 'max'. */
static bool number(const char *text, int64_t max, int64_t *ret)
{
    return *text && strspn(text, "0123456789") == strlen(text) && parse_int64(text, 0, max, ret) == 0;
}

static void set_status(struct notify_message *m, const char *text)
{
    _cleanup_free_ char *shown = printable(text);
    size_t n = strlen(shown);
    if (n > NOTIFY_STATUS_MAX) {
        n = NOTIFY_STATUS_MAX;
        while (n > 0 && ((unsigned char)shown[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(m->status, shown, n);
    m->status[n] = '\0';
    m->has_status = true;
}

static void parse_line(struct notify_message *m, const char *line)
{
    const char *value;
    int64_t n;
    if (streq(line, "READY=1"))
        m->ready = true;
    else if (streq(line, "RELOADING=1"))
        m->reloading = true;
    else if (streq(line, "STOPPING=1"))
        m->stopping = true;
    else if (streq(line, "WATCHDOG=1"))
        m->watchdog = NOTIFY_WATCHDOG_ALIVE;
    else if (streq(line, "WATCHDOG=trigger"))
        m->watchdog = NOTIFY_WATCHDOG_TRIGGER;
    else if ((value = after_prefix(line, "STATUS=")))
        set_status(m, value);
    else if ((value = after_prefix(line, "WATCHDOG_USEC=")) && number(value, INT64_MAX, &n)) {
        m->has_watchdog_usec = true;
        m->watchdog_usec = (uint64_t)n;
    } else if ((value = after_prefix(line, "EXTEND_TIMEOUT_USEC=")) && number(value, INT64_MAX, &n))
        m->extend_usec = (uint64_t)n;
    else if ((value = after_prefix(line, "MAINPID=")) && number(value, INT32_MAX, &n))
        m->main_pid = (pid_t)n;
    else if ((value = after_prefix(line, "ERRNO=")) && number(value, ERRNO_MAX, &n))
        m->error = (int)n;
}

bool notify_message_parse(const char *data, size_t size, struct notify_message *ret)
{
    if (size > NOTIFY_MESSAGE_MAX)
        return false;
    if (size > 0 && data[size - 1] == '\0') /* senders that count it */
        size--;
    if (size == 0 || memchr(data, '\0', size))
        return false;
    _cleanup_free_ char *text = xstrndup(data, size);
    *ret = (struct notify_message){.ready = false};
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        parse_line(ret, line);
    return true;
}
