/* Implements output.h. */
#include "ctl/output.h"

#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/basic/printable.h"

/* The filter of one of the descriptors 1 and 2. */
struct shown {
    int fd;
    struct printable_stream characters;
};

static ssize_t on_write(void *cookie, const char *data, size_t size)
{
    struct shown *s = cookie;
    _cleanup_free_ char *text = NULL;
    size_t n = printable_feed(&s->characters, data, size, false, &text);
    return write_all(s->fd, text, n) < 0 ? 0 : (ssize_t)size;
}

static FILE *stream_open(struct shown *s, int buffering)
{
    FILE *stream = fopencookie(s, "w", (cookie_io_functions_t){.write = on_write});
    if (!stream)
        fatal(EXIT_FAILED, "out of memory");
    setvbuf(stream, NULL, buffering, BUFSIZ);
    return stream;
}

void output_open(void)
{
    /* For the widths of characters (text_width()). hostletctl writes UTF-8 in every locale. */
    setlocale(LC_CTYPE, "C.UTF-8");
    static struct shown out = {.fd = STDOUT_FILENO}, error = {.fd = STDERR_FILENO};
    stdout = stream_open(&out, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
    stderr = stream_open(&error, _IONBF);
}

bool output_is_live(void)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(none && *none) && term && !streq(term, "dumb");
}

void output_control(const char *sequence)
{
    if (!output_is_live())
        return;
    fflush(stdout);
    (void)write_all(STDOUT_FILENO, sequence, strlen(sequence));
}

/* Prints the control sequence that begins a colour, or that ends all colours (PLAIN). */
static void output_colour(enum colour colour)
{
    static const char *const sequences[] = {"\033[0m",  "\033[1m",  "\033[2m",
                                            "\033[32m", "\033[33m", "\033[31m"};
    output_control(sequences[colour]);
}

void print_coloured(enum colour colour, const char *text)
{
    if (colour != PLAIN)
        output_colour(colour);
    fputs(text, stdout);
    if (colour != PLAIN)
        output_colour(PLAIN);
}

char *format_duration(int64_t msec)
{
    int64_t s = msec / 1000;
    if (msec < 1000)
        return xasprintf("%" PRId64 " ms", msec > 0 ? msec : 0);
    if (s < 60)
        return xasprintf("%.1f s", (double)msec / 1000);
    if (s < 3600)
        return xasprintf("%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    if (s < 86400)
        return xasprintf("%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    return xasprintf("%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
}

char *format_time(int64_t unix_msec)
{
    time_t seconds = (time_t)(unix_msec / 1000);
    struct tm tm;
    char text[64];
    if (unix_msec == 0 || !localtime_r(&seconds, &tm) || strftime(text, sizeof text, "%F %T", &tm) == 0)
        return xstrdup("-");
    return xstrdup(text);
}

char *format_next(const char *next, int64_t at)
{
    int64_t left = at - now_realtime_msec();
    _cleanup_free_ char *safe = format_safe(next), *duration = format_duration(left);
    if (!next || at == 0)
        return TAKE_PTR(safe);
    return left > 0 ? xasprintf("%s in %s", safe, duration) : xasprintf("%s now", safe);
}

char *format_safe(const char *text)
{
    return printable(text ?: "");
}

char *format_first_line(const char *text)
{
    size_t n = strcspn(text ?: "", "\n");
    _cleanup_free_ char *first = xstrndup(text ?: "", n), *safe = format_safe(first);
    return text && text[n] && text[n + 1] ? xasprintf("%s …", safe) : TAKE_PTR(safe);
}

char *format_other_lines(const char *text, const char *indent)
{
    char *all = xstrdup("");
    for (const char *c = strchr(text ?: "", '\n'); c && c[1]; c = strchr(c, '\n')) {
        size_t n = strcspn(++c, "\n");
        _cleanup_free_ char *line = xstrndup(c, n), *safe = format_safe(line), *before = all;
        all = xasprintf("%s%s%s\n", before, indent, safe);
    }
    return all;
}

/* Returns the columns of the character at 'text', and stores its length in bytes. */
static size_t character_width(const char *text, size_t *ret_length)
{
    wchar_t character;
    mbstate_t state = {0};
    size_t n = mbrtowc(&character, text, MB_LEN_MAX, &state);
    /* The locale is missing, or the text is not UTF-8: one column for each code point. */
    if (n == 0 || n > MB_LEN_MAX) {
        *ret_length = 1;
        return ((unsigned char)*text & 0xc0) != 0x80;
    }
    *ret_length = n;
    int width = wcwidth(character);
    return width < 0 ? 1 : (size_t)width;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (size_t n; *text; text += n)
        width += character_width(text, &n);
    return width;
}

char *text_cut(const char *text, size_t columns)
{
    if (text_width(text) <= columns)
        return xstrdup(text);
    size_t width = 0, length = 0;
    for (size_t n; columns > 0 && text[length]; length += n) {
        size_t more = character_width(text + length, &n);
        if (width + more > columns - 1)
            break;
        width += more;
    }
    _cleanup_free_ char *start = xstrndup(text, length);
    return xasprintf("%s%s", start, columns > 0 ? "…" : "");
}

void output_size(size_t *ret_columns, size_t *ret_rows)
{
    struct winsize size = {.ws_row = 0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        size = (struct winsize){.ws_row = 0};
    *ret_columns = size.ws_col ?: 80;
    *ret_rows = size.ws_row ?: 24;
}

void print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(json);
}

void print_page_line(const char *name, enum colour colour, const char *text)
{
    _cleanup_free_ char *line = format_first_line(text);
    printf("%-10s ", name);
    print_coloured(colour, line);
    putchar('\n');
}
