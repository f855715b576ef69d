/* Logs to standard error: plain lines for a person, lines with "<N>" priorities if standard error is
 * journald's (JOURNAL_STREAM), or one JSON object a line (--log-format=json). Libraries log at debug level
 * only; the process logs everything above. */
#pragma once

#include "lib/basic/error.h"

/* The numbers are those of syslog. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_PLAIN, LOG_FORMAT_JOURNAL, LOG_FORMAT_JSON };

/* Sets the name (borrowed) that begins each line, the format and the level. LOG_FORMAT_AUTO becomes
 * journal or plain, as the environment says. */
void log_open(const char *name, enum log_format format, enum log_level max);
void log_set_max_level(enum log_level max);
enum log_level log_get_max_level(void);
int log_format_from_string(const char *s, enum log_format *ret);
int log_level_from_string(const char *s, enum log_level *ret);

void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

/* Formats one line of another process in the current format: name, level and text; characters that are not
 * printable (lib/basic/printable.h) are replaced. The supervisor uses it. The caller frees the line. */
char *log_line(const char *name, enum log_level level, const char *text);

/* Sets the function that receives this process's finished lines instead of standard error: the supervisor
 * must not block on standard error. NULL restores standard error. */
void log_set_writer(void (*writer)(const char *line, size_t size));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_get_max_level() >= LOG_LEVEL_DEBUG)                                                          \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                         \
    } while (0)

/* Exit codes of all programs; documented in hostlet(7). */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,  /* the request failed */
    EXIT_USAGE = 2,   /* the command line is wrong */
    EXIT_DOWN = 3,    /* a required service is not running */
    EXIT_TIMEOUT = 4, /* not finished within --timeout; the work continues in the background */
    /* Do not restart: a person must act (configuration, permissions, a newer file format). */
    EXIT_PERMANENT = 100,
};

/* For main programs only. fatal() logs a fault of the environment and exits with 'code'; panic() logs a
 * bug of hostlet and aborts, which leaves a core dump. */
void fatal(int code, const char *fmt, ...) _printf_(2, 3) __attribute__((noreturn));
void panic(const char *fmt, ...) _printf_(1, 2) __attribute__((noreturn));
