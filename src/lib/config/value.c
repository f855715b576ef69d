/* Implements value.h. */
#include "lib/config/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/config/config.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Parses "12 unit", "1.5unit" or "12" and multiplies the number by the factor of its unit. */
static int parse_with_unit(const char *text, const struct unit *units, uint64_t *ret)
{
    uint64_t whole = 0, fraction = 0, scale = 1;
    const char *c = text;
    if (!isdigit((unsigned char)*c))
        return -EINVAL;
    for (; isdigit((unsigned char)*c); c++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(*c - '0'), &whole))
            return -ERANGE;
    if (*c == '.') {
        if (!isdigit((unsigned char)*++c))
            return -EINVAL;
        for (; isdigit((unsigned char)*c); c++)
            if (scale < 1000000) {
                fraction = fraction * 10 + (uint64_t)(*c - '0');
                scale *= 10;
            }
    }
    while (*c == ' ')
        c++;
    for (const struct unit *u = units; u->name; u++)
        if (streq(c, u->name)) {
            uint64_t value;
            if (__builtin_mul_overflow(whole, u->factor, &value) || value > INT64_MAX / 2)
                return -ERANGE;
            *ret = value + (uint64_t)((double)fraction / (double)scale * (double)u->factor);
            return 0;
        }
    return -EINVAL;
}

int parse_duration(const char *text, uint64_t *ret_usec)
{
    static const struct unit units[] = {{"", 1000000},
                                        {"s", 1000000},
                                        {"ms", 1000},
                                        {"us", 1},
                                        {"min", 60000000},
                                        {"h", 3600000000},
                                        {"d", 24 * UINT64_C(3600000000)},
                                        {NULL, 0}};
    return parse_with_unit(text, units, ret_usec);
}

int parse_size(const char *text, int64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},          {"B", 1},          {"K", 1 << 10},     {"Ki", 1 << 10},     {"KiB", 1 << 10},
        {"M", 1 << 20},   {"Mi", 1 << 20},   {"MiB", 1 << 20},   {"G", 1 << 30},      {"Gi", 1 << 30},
        {"GiB", 1 << 30}, {"T", 1ull << 40}, {"Ti", 1ull << 40}, {"TiB", 1ull << 40}, {NULL, 0}};
    uint64_t value;
    int r = parse_with_unit(text, units, &value);
    if (r >= 0)
        *ret_bytes = (int64_t)value;
    return r;
}
