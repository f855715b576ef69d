/* Implements log.h. */
#include "lib/basic/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"

static struct {
    const char *name;
    enum log_format format;
    enum log_level max;
    void (*writer)(const char *line, size_t size);
} state = {"hostlet", LOG_FORMAT_PLAIN, LOG_LEVEL_INFO, NULL};

static const char *const format_names[] = {"auto", "plain", "journal", "json"};
static const char *const level_names[] = {NULL, NULL, NULL, "error", "warning", "notice", "info", "debug"};

/* Reports whether standard error is the stream that JOURNAL_STREAM ("DEVICE:INODE") names. A process whose
 * standard error was redirected inherits the variable, too. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *name, enum log_format format, enum log_level max)
{
    if (format == LOG_FORMAT_AUTO)
        format = stderr_is_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_PLAIN;
    state.name = name;
    state.format = format;
    state.max = max;
}

void log_set_writer(void (*writer)(const char *line, size_t size))
{
    state.writer = writer;
}

void log_set_max_level(enum log_level max)
{
    state.max = max;
}

enum log_level log_get_max_level(void)
{
    return state.max;
}

int log_format_from_string(const char *s, enum log_format *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(format_names); i++)
        if (streq(s, format_names[i])) {
            *ret = (enum log_format)i;
            return 0;
        }
    return -EINVAL;
}

int log_level_from_string(const char *s, enum log_level *ret)
{
    for (size_t i = LOG_LEVEL_ERROR; i < ARRAY_SIZE(level_names); i++)
        if (streq(s, level_names[i])) {
            *ret = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

/* Writes printable text as the content of a JSON string. */
static void json_escape(FILE *f, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c == '\t')
            fputs("\\t", f);
        else
            fputc(c, f);
    }
}

char *log_line(const char *name, enum log_level level, const char *text)
{
    _cleanup_free_ char *shown = printable_line(text);
    char *line = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&line, &n);
    if (!f)
        abort();
    switch (state.format) {
    case LOG_FORMAT_JOURNAL:
        fprintf(f, "<%d>%s: %s\n", level, name, shown);
        break;
    case LOG_FORMAT_JSON: {
        struct timespec ts;
        struct tm tm;
        char when[32];
        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
        fprintf(f, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"service\":\"", when, ts.tv_nsec / 1000000,
                level_names[level]);
        json_escape(f, name);
        fputs("\",\"message\":\"", f);
        json_escape(f, shown);
        fputs("\"}\n", f);
        break;
    }
    default:
        fprintf(f, "%s: %s%s\n", name,
                level == LOG_LEVEL_ERROR     ? "error: "
                : level == LOG_LEVEL_WARNING ? "warning: "
                : level == LOG_LEVEL_DEBUG   ? "debug: "
                                             : "",
                shown);
    }
    fclose(f);
    return line;
}

_printf_(2, 0) static void log_writev(enum log_level level, const char *fmt, va_list ap)
{
    if (level > state.max)
        return;
    int saved = errno;
    char text[2048];
    vsnprintf(text, sizeof text, fmt, ap);
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    _cleanup_free_ char *line = log_line(state.name, level, text);
    /* One write per line, so that lines of several processes do not mix. A line that cannot be written is
     * lost without an error. */
    if (state.writer)
        state.writer(line, strlen(line));
    else if (write(STDERR_FILENO, line, strlen(line)) < 0)
        errno = 0;
    errno = saved;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_writev(level, fmt, ap);
    va_end(ap);
}

void fatal(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_writev(LOG_LEVEL_ERROR, fmt, ap);
    va_end(ap);
    exit(code);
}

void panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_writev(LOG_LEVEL_ERROR, fmt, ap);
    va_end(ap);
    abort();
}
