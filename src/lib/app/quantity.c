/* Implements the functions of quantity.h for quantities: "500m" CPUs, "512Mi" bytes. */
#include "lib/app/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include "lib/app/limits.h"

/* A decimal number without loss: 'digits' × 10^−'places'. */
struct decimal {
    uint64_t digits;
    unsigned places;
};

/* Reads digits with at most one point, which needs digits on both sides. Returns the text after the
 * number, or NULL. *ret_overflow: more digits than 64 bits can contain. */
static const char *read_decimal(const char *text, struct decimal *ret, bool *ret_overflow)
{
    struct decimal d = {.digits = 0};
    bool point = false;
    const char *c = text;
    *ret_overflow = false;
    if (!isdigit((unsigned char)*c))
        return NULL;
    for (; isdigit((unsigned char)*c) || (*c == '.' && !point); c++) {
        if (*c == '.') {
            point = true;
            if (!isdigit((unsigned char)c[1]))
                return NULL;
            continue;
        }
        if (__builtin_mul_overflow(d.digits, 10, &d.digits) ||
            __builtin_add_overflow(d.digits, (uint64_t)(*c - '0'), &d.digits))
            *ret_overflow = true;
        d.places += point;
    }
    while (d.places > 0 && d.digits % 10 == 0) {
        d.digits /= 10;
        d.places--;
    }
    *ret = d;
    return c;
}

static uint64_t power_of_ten(unsigned n)
{
    uint64_t p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

int app_parse_cpu(const char *text, int64_t *ret_millicores, struct error *e)
{
    struct decimal d;
    bool overflow;
    const char *unit = read_decimal(text, &d, &overflow);
    bool milli = unit && streq(unit, "m");
    if (!unit || (*unit && !milli))
        return error_refuse(
            e, EINVAL, "'%.64s' is no number of CPUs; write 2, 0.5 or 500m (thousandths of a CPU)", text);
    if (overflow || d.places > 18)
        return error_refuse(e, ERANGE, "'%.64s' is out of range", text);
    if (d.places > (milli ? 0u : 3u))
        return error_refuse(e, EINVAL, "'%.64s' is finer than a thousandth of a CPU", text);
    uint64_t value;
    if (__builtin_mul_overflow(d.digits, milli ? 1 : power_of_ten(3 - d.places), &value) ||
        value > APP_CPU_LIMIT_MAX)
        return error_refuse(e, ERANGE, "'%.64s' is more than %" PRId64 " CPUs", text,
                            APP_CPU_LIMIT_MAX / 1000);
    *ret_millicores = (int64_t)value;
    return 0;
}

int app_parse_memory(const char *text, int64_t *ret_bytes, struct error *e)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"k", UINT64_C(1000)},
        {"M", UINT64_C(1000000)},
        {"G", UINT64_C(1000000000)},
        {"T", UINT64_C(1000000000000)},
        {"P", UINT64_C(1000000000000000)},
        {"Ki", UINT64_C(1) << 10},
        {"Mi", UINT64_C(1) << 20},
        {"Gi", UINT64_C(1) << 30},
        {"Ti", UINT64_C(1) << 40},
        {"Pi", UINT64_C(1) << 50},
    };
    struct decimal d;
    bool overflow;
    const char *unit = read_decimal(text, &d, &overflow);
    uint64_t factor = 0;
    for (size_t i = 0; unit && i < ARRAY_SIZE(units); i++)
        if (streq(unit, units[i].name))
            factor = units[i].factor;
    if (factor == 0)
        return error_refuse(
            e, EINVAL,
            "'%.64s' is no number of bytes; write 512Mi or 10Gi (powers of 1024: Ki Mi Gi Ti Pi; "
            "powers of 1000: k M G T P)",
            text);
    if (overflow || d.places > 18)
        return error_refuse(e, ERANGE, "'%.64s' is out of range", text);
    /* Rounded up to whole bytes: a limit is never less than the text states. */
    uint64_t scale = power_of_ten(d.places);
    unsigned __int128 value = ((unsigned __int128)d.digits * factor + scale - 1) / scale;
    if (value > APP_BYTES_MAX)
        return error_refuse(e, ERANGE, "'%.64s' is more than %" PRId64 " bytes", text, APP_BYTES_MAX);
    *ret_bytes = (int64_t)value;
    return 0;
}
