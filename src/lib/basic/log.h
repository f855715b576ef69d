/* Logging on stderr: plain lines for a person, "<N>" priorities when stderr is journald's (JOURNAL_STREAM),
 * or one JSON object a line (--log-format=json). Libraries log at debug alone; everything above is said by
 * the process. */
#pragma once

#include "lib/basic/error.h"

/* The numbers are syslog's. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_PLAIN, LOG_FORMAT_JOURNAL, LOG_FORMAT_JSON };

/* 'name' (borrowed) stands before each line. AUTO is resolved from the environment here. */
void log_open(const char *name, enum log_format format, enum log_level max);
void log_set_max_level(enum log_level max);
enum log_level log_get_max_level(void);
int log_format_from_string(const char *s, enum log_format *ret);
int log_level_from_string(const char *s, enum log_level *ret);

void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

/* Formats one line as the current format wants it, for the supervisor, which writes the lines of others: the
 * name, the level and the text, of which only what is printable (lib/basic/printable.h) is shown. The caller
 * frees. */
char *log_line(const char *name, enum log_level level, const char *text);

/* Where our own finished lines go instead of standard error: for the supervisor, which must not block on it.
 * NULL puts standard error back. */
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

/* Exit codes of all our programs; documented in hostlet(7). */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,  /* what was asked for failed */
    EXIT_USAGE = 2,   /* the command line is wrong */
    EXIT_DOWN = 3,    /* a service that is needed is not running */
    EXIT_TIMEOUT = 4, /* not done within --timeout; it goes on in the background */
    EXIT_PERMANENT =
        100, /* do not restart: a human must act (configuration, permissions, a newer file format) */
};

/* For mains alone. fatal: the environment is broken; says so and exits with 'code'. panic: a bug of ours;
 * says so and aborts, so that a core is left. */
void fatal(int code, const char *fmt, ...) _printf_(2, 3) __attribute__((noreturn));
void panic(const char *fmt, ...) _printf_(1, 2) __attribute__((noreturn));
