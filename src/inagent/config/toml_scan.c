/* Implements toml_scan.h. */
#include "inagent/config/toml_scan.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"

static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
static const char digits[] = "0123456789";

void toml_skip_space(struct document *d)
{
    d->at += strspn(d->text + d->at, " \t");
}

/* Reads the escape sequence behind a backslash and appends its character to *to. In a text of several lines
 * it can be the end of the line, which is skipped with the white space after it. */
static int read_escape(struct document *d, bool lines, char **to)
{
    static const char letters[] = "btnfr\"\\", meanings[] = "\b\t\n\f\r\"\\";
    char c = d->text[d->at];
    const char *letter = c ? strchr(letters, c) : NULL;
    size_t n = c == 'u' ? 4 : c == 'U' ? 8 : 0, space = strspn(d->text + d->at, " \t\r");
    if (letter) {
        *(*to)++ = meanings[letter - letters];
        d->at++;
    } else if (lines && d->text[d->at + space] == '\n') {
        d->at += strspn(d->text + d->at, " \t\r\n");
    } else {
        int64_t code = n > 0 ? document_hex(d->text + d->at + 1, n) : -1;
        if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return document_refuse(d, d->at - 1, "an unknown escape sequence");
        *to += document_put_character(*to, (uint32_t)code);
        d->at += 1 + n;
    }
    return 0;
}

/* Reads a string in one line, whose quote is at 'at'. The caller frees *ret. */
static int read_string(struct document *d, char **ret, size_t *ret_size)
{
    size_t begin = d->at++;
    char quote = d->text[begin];
    size_t end = d->at;
    while (d->text[end] && d->text[end] != '\n' && d->text[end] != quote)
        end += d->text[end] == '\\' && quote == '"' && d->text[end + 1] ? 2 : 1;
    _cleanup_free_ char *string = xcalloc(1, end - begin + 4);
    char *to = string;
    while (d->text[d->at] != quote) {
        char c = d->text[d->at];
        if (!c || c == '\n' || c == '\r')
            return document_refuse(d, begin, "a string that is not ended in its line");
        d->at++;
        if (c != '\\' || quote == '\'') {
            *to++ = c;
            continue;
        }
        int r = read_escape(d, false, &to);
        if (r < 0)
            return r;
    }
    d->at++;
    *ret_size = (size_t)(to - string);
    *ret = TAKE_PTR(string);
    return 0;
}

/* Reads a string of several lines, whose three quotes are at 'at'. */
static int read_lines(struct document *d)
{
    size_t begin = d->at;
    char quote = d->text[begin];
    d->at += 3;
    for (;;) {
        char c = d->text[d->at];
        if (!c)
            return document_refuse(d, begin, "a string that is not ended");
        size_t n = 0;
        while (c == quote && d->text[d->at + n] == quote)
            n++;
        if (n > 5)
            return document_refuse(d, d->at, "too many quotes");
        d->at += n > 0 ? n : 1;
        if (n >= 3)
            return 0;
        if (c == '\\' && quote == '"') {
            char ignored[4], *to = ignored;
            int r = read_escape(d, true, &to);
            if (r < 0)
                return r;
        }
    }
}

int toml_scan_key(struct document *d, char **ret, size_t *ret_size)
{
    if (d->text[d->at] == '"' || d->text[d->at] == '\'')
        return read_string(d, ret, ret_size);
    size_t n = strspn(d->text + d->at, bare);
    if (n == 0)
        return document_refuse(d, d->at, "a key is expected");
    *ret = xstrndup(d->text + d->at, n);
    *ret_size = n;
    d->at += n;
    return 0;
}

/* Returns the length of digits with single underscores between them, 0: there are none. */
static size_t number_digits(const char *s, const char *allowed)
{
    size_t n = 0;
    while (s[n] && (strchr(allowed, s[n]) || (s[n] == '_' && n > 0 && s[n - 1] != '_')))
        n++;
    return n > 0 && s[n - 1] == '_' ? 0 : n;
}

static size_t number_length(const char *s)
{
    static const struct {
        const char *prefix, *digits;
    } bases[] = {{"0x", "0123456789abcdefABCDEF"}, {"0o", "01234567"}, {"0b", "01"}};
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        if (after_prefix(s, bases[i].prefix)) {
            size_t n = number_digits(s + 2, bases[i].digits);
            return n > 0 ? n + 2 : 0;
        }
    const char *begin = s;
    if (*s == '+' || *s == '-')
        s++;
    if (after_prefix(s, "inf") || after_prefix(s, "nan"))
        return (size_t)(s + 3 - begin);
    size_t n = number_digits(s, digits);
    if (n == 0 || (*s == '0' && n > 1))
        return 0;
    s += n;
    if (*s == '.') {
        if ((n = number_digits(++s, digits)) == 0)
            return 0;
        s += n;
    }
    if (*s == 'e' || *s == 'E') {
        s += s[1] == '+' || s[1] == '-' ? 2 : 1;
        if ((n = number_digits(s, digits)) == 0)
            return 0;
        s += n;
    }
    return (size_t)(s - begin);
}

/* Reports whether 's' begins with this form, in which '0' is any digit. */
static bool has_form(const char *s, const char *form)
{
    for (; *form; s++, form++)
        if (*form == '0' ? *s < '0' || *s > '9' : *s != *form)
            return false;
    return true;
}

static int two(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

static size_t time_length(const char *s)
{
    if (!has_form(s, "00:00:00") || two(s) > 23 || two(s + 3) > 59 || two(s + 6) > 59)
        return 0;
    size_t n = s[8] == '.' ? strspn(s + 9, digits) : 0;
    return s[8] != '.' ? 8 : n > 0 ? 9 + n : 0;
}

static bool is_date(const char *s)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!has_form(s, "0000-00-00"))
        return false;
    int year = two(s) * 100 + two(s + 2), month = two(s + 5), day = two(s + 8);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static size_t date_length(const char *s)
{
    if (!is_date(s))
        return 0;
    if (s[10] != 'T' && s[10] != 't' && !(s[10] == ' ' && s[11] >= '0' && s[11] <= '9'))
        return 10;
    size_t n = time_length(s + 11);
    if (n == 0)
        return 0;
    n += 11;
    if (s[n] == 'Z' || s[n] == 'z')
        return n + 1;
    if (s[n] != '+' && s[n] != '-')
        return n;
    return has_form(s + n + 1, "00:00") && two(s + n + 1) < 24 && two(s + n + 4) < 60 ? n + 6 : 0;
}

int toml_scan_scalar(struct document *d)
{
    const char *s = d->text + d->at;
    if (after_prefix(s, "\"\"\"") || after_prefix(s, "'''"))
        return read_lines(d);
    if (*s == '"' || *s == '\'') {
        _cleanup_free_ char *string = NULL;
        size_t size;
        return read_string(d, &string, &size);
    }
    size_t n = after_prefix(s, "true")    ? 4
               : after_prefix(s, "false") ? 5
               : has_form(s, "0000-00")   ? date_length(s)
               : has_form(s, "00:00")     ? time_length(s)
                                          : number_length(s);
    if (n == 0 || (s[n] && !strchr(" \t\r\n,]}#", s[n])))
        return document_refuse(d, d->at, "this is not a TOML value");
    d->at += n;
    return 0;
}
