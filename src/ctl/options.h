/* Parses the options of commands, and prints their help. */
#pragma once

#include "ctl/ctl.h"

/* The value of an option of this command, "" for a flag; NULL when it was not given. */
const char *ctl_option(const struct ctl *ctl, const char *name);
/* A duration in microseconds, or a number; 'standard' when not given. What is malformed ends the program with
 * EXIT_USAGE. */
uint64_t ctl_option_duration(const struct ctl *ctl, const char *name, uint64_t standard);
int64_t ctl_option_number(const struct ctl *ctl, const char *name, int64_t min, int64_t max,
                          int64_t standard);

/* Parses the words behind the command's name (argv[0]). −1 to go on, else the exit code to end with. */
int ctl_parse_options(struct ctl *ctl, int argc, char **argv, const char **ret_prefix);
