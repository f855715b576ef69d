/* Writes text of OpenMetrics 1.0, line by line. */
#pragma once

#include <stdio.h>

#include "rpc-gateway/histogram.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct openmetrics {
    FILE *file;
    const char *family; /* the family of the following samples */
};

/* Starts a family: 'type' is gauge, counter, histogram, stateset or info; the samples of a counter have
 * the suffix "_total". 'unit' is the end of the name ("seconds"), or NULL. */
void openmetrics_family(struct openmetrics *m, const char *name, const char *type, const char *unit,
                        const char *help);

/* Writes a sample of the family: its suffix ("", "_total"), its value, and names and values of labels,
 * ended with NULL. A label whose value is NULL is left out. */
void openmetrics_sample(struct openmetrics *m, const char *suffix, double value, ...)
    __attribute__((sentinel));

/* Writes all samples of a histogram; the labels are given in the same way. */
void openmetrics_histogram(struct openmetrics *m, const struct histogram *h, const double *bounds, ...)
    __attribute__((sentinel));

/* Writes the last line. */
void openmetrics_end(struct openmetrics *m);
