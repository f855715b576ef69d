/* Implements openmetrics.h. */
#include "rpc-gateway/openmetrics.h"

#include <stdarg.h>

static void print_escaped(FILE *f, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '\\':
            fputs("\\\\", f);
            break;
        case '"':
            fputs("\\\"", f);
            break;
        case '\n':
            fputs("\\n", f);
            break;
        default:
            fputc(*text, f);
        }
}

static void print_label(FILE *f, bool *first, const char *name, const char *value)
{
    fprintf(f, "%s%s=\"", *first ? "{" : ",", name);
    print_escaped(f, value);
    fputc('"', f);
    *first = false;
}

static void print_labels(FILE *f, bool *first, va_list labels)
{
    for (const char *name; (name = va_arg(labels, const char *));) {
        const char *value = va_arg(labels, const char *);
        if (value)
            print_label(f, first, name, value);
    }
}

static void print_value(FILE *f, bool first, double value)
{
    fprintf(f, first ? " %.15g\n" : "} %.15g\n", value);
}

void openmetrics_family(struct openmetrics *m, const char *name, const char *type, const char *unit,
                        const char *help)
{
    m->family = name;
    fprintf(m->file, "# TYPE %s %s\n", name, type);
    if (unit)
        fprintf(m->file, "# UNIT %s %s\n", name, unit);
    fprintf(m->file, "# HELP %s ", name);
    print_escaped(m->file, help);
    fputc('\n', m->file);
}

void openmetrics_sample(struct openmetrics *m, const char *suffix, double value, ...)
{
    va_list labels;
    bool first = true;
    fprintf(m->file, "%s%s", m->family, suffix);
    va_start(labels, value);
    print_labels(m->file, &first, labels);
    va_end(labels);
    print_value(m->file, first, value);
}

void openmetrics_histogram(struct openmetrics *m, const struct histogram *h, const double *bounds, ...)
{
    const struct {
        const char *suffix;
        double value;
    } whole[] = {{"_count", (double)histogram_count(h)}, {"_sum", h->sum}};
    uint64_t sum = 0;
    va_list labels, copy;
    va_start(labels, bounds);
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        char bound[32] = "+Inf";
        bool first = true;
        sum += h->counts[i];
        /* The canonical form has a decimal point. */
        if (i < HISTOGRAM_BOUNDS)
            (void)snprintf(bound, sizeof bound, bounds[i] < 1 ? "%g" : "%.1f", bounds[i]);
        fprintf(m->file, "%s_bucket", m->family);
        va_copy(copy, labels);
        print_labels(m->file, &first, copy);
        va_end(copy);
        print_label(m->file, &first, "le", bound);
        print_value(m->file, first, (double)sum);
    }
    for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
        bool first = true;
        fprintf(m->file, "%s%s", m->family, whole[i].suffix);
        va_copy(copy, labels);
        print_labels(m->file, &first, copy);
        va_end(copy);
        print_value(m->file, first, whole[i].value);
    }
    va_end(labels);
}

void openmetrics_end(struct openmetrics *m)
{
    fputs("# EOF\n", m->file);
}
