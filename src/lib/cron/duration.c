/* Implements duration.h. */
#include "lib/cron/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>

#include "lib/basic/util.h"

#define LONGEST (100.0 * 366 * 86400)

/* Reads a number with an optional fraction. Returns false if no digit exists. */
static bool read_number(const char **at, double *ret)
{
    bool any = false;
    double number = 0, scale = 1;
    for (; isdigit((unsigned char)**at); (*at)++, any = true)
        number = number * 10 + (**at - '0');
    if (**at == '.')
        for ((*at)++; isdigit((unsigned char)**at); (*at)++, any = true)
            number += (**at - '0') * (scale /= 10);
    *ret = number;
    return any;
}

static bool read_unit(const char **at, double *ret)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6}, {"μs", 1e-6},
                 {"ms", 1e-3}, {"s", 1},     {"m", 60},    {"h", 3600}};
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        const char *rest = after_prefix(*at, units[i].name);
        if (rest) {
            *at = rest;
            *ret = units[i].seconds;
            return true;
        }
    }
    return false;
}

int duration_parse(const char *text, int64_t *ret_seconds)
{
    bool negative = *text == '-';
    text += *text == '-' || *text == '+';
    double sum = 0;
    if (streq(text, "0"))
        return -ERANGE;
    if (!*text)
        return -EINVAL;
    while (*text) {
        double number, unit;
        if (!read_number(&text, &number) || !read_unit(&text, &unit))
            return -EINVAL;
        sum += number * unit;
    }
    if (negative || sum <= 0 || sum > LONGEST)
        return -ERANGE;
    /* Sums such as 0.1h are not exact in binary. */
    int64_t seconds = (int64_t)(sum + 1e-6);
    *ret_seconds = seconds < 1 ? 1 : seconds;
    return 0;
}
